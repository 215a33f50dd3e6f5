<?php
// Run once by every task before it answers: waits for the database, and installs the site under a lock of the database,
// so that of several replicas one installs and the others wait for it.

const WAIT_SECONDS = 110;
const CONNECT_SECONDS = 3;
const LOCK = 'flotilla-wordpress-install';

function fail(string $reason): never {
    fwrite(STDERR, "wordpress-start: $reason\n");
    exit(1);
}

function connect(): mysqli {
    $deadline = time() + WAIT_SECONDS;
    do {
        try {
            $connection = mysqli_init();
            $connection->options(MYSQLI_OPT_CONNECT_TIMEOUT, CONNECT_SECONDS);
            $connection->real_connect(DB_HOST, DB_USER, DB_PASSWORD, DB_NAME);
            return $connection;
        } catch (mysqli_sql_exception $error) {
            $reason = $error->getMessage();
            usleep(500000);
        }
    } while (time() < $deadline);
    fail('no database ' . DB_NAME . ' on ' . DB_HOST . ' within ' . WAIT_SECONDS . " s: $reason");
}

// In place of WordPress's own, which sends mail that nobody here could deliver.
function wp_new_blog_notification($title, $url, $user, $password): void {
}

// A site without an address or an administrator is one whose installation was killed: to install again adds what is
// missing, and takes nothing away.
function is_finished(): bool {
    global $wpdb;
    $wpdb->suppress_errors();
    $address = $wpdb->get_var("SELECT option_value FROM $wpdb->options WHERE option_name = 'siteurl'");
    return $address && get_users(['role' => 'administrator', 'number' => 1, 'fields' => 'ID']) !== [];
}

function install(): void {
    wp_install(
        flotilla_setting('WORDPRESS_TITLE', 'Flotilla'),
        flotilla_setting('WORDPRESS_ADMIN', 'admin'),
        flotilla_setting('WORDPRESS_ADMIN_EMAIL', 'admin@example.invalid'),
        true,
        '',
        flotilla_secret('WORDPRESS_ADMIN_PASSWORD_FILE')
    );
    // WordPress tries addresses with names by a request to itself, which nobody answers yet.
    $GLOBALS['wp_rewrite']->set_permalink_structure('/%postname%/');
    flush_rewrite_rules(false);
    is_finished() or fail('the installation did not make an administrator');
    fwrite(STDERR, "wordpress-start: the site is installed\n");
}

// WordPress ends a program that it refuses to go on with, and calls that a success.
$finished = false;
register_shutdown_function(function () use (&$finished): void {
    $finished or exit(1);
});

define('WP_INSTALLING', true);
$_SERVER['HTTP_HOST'] = 'localhost';
$_SERVER['REQUEST_METHOD'] = 'GET';
$_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
try {
    require '/etc/wordpress/config-default.php';
} catch (RuntimeException $error) {
    fail($error->getMessage());
}
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
$database = connect();
$seconds = WAIT_SECONDS;
$database->query("SELECT GET_LOCK('" . LOCK . "', $seconds)")->fetch_row()[0] == 1
    or fail("another replica has held the lock of the installation for $seconds s");

if ($database->query("SHOW TABLES LIKE 'wp\\_%'")->num_rows > 0) {
    // Else WordPress refuses to complete a site of which only some tables exist.
    define('WP_REPAIRING', true);
}
require '/usr/share/wordpress/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
if (!is_finished()) {
    install();
} elseif ((int) get_option('db_version') < $wp_db_version) {
    wp_upgrade();
    fwrite(STDERR, "wordpress-start: the tables are upgraded\n");
}
// The lock goes with the connection.
$database->close();
$finished = true;
