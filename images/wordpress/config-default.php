<?php
// Read by Debian's wp-config.php for every host name. The settings are the environment's, the secrets are files.

function flotilla_setting(string $name, string $default): string {
    $value = getenv($name);
    return $value === false || $value === '' ? $default : $value;
}

function flotilla_secret(string $name): string {
    $file = getenv($name);
    $content = $file ? @file_get_contents($file) : false;
    if ($content === false) {
        throw new RuntimeException("$name is " . ($file ?: 'not set') . ': it must name a file that can be read');
    }
    return rtrim($content, "\r\n");
}

// Where the visitor sees the site: through any proxy, under any name and port.
function flotilla_site_url(): string {
    $forwarded = explode(',', $_SERVER['HTTP_X_FORWARDED_HOST'] ?? '')[0];
    $host = trim($forwarded) ?: ($_SERVER['HTTP_HOST'] ?? '');
    if (!preg_match('/^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$/', $host)) {
        $host = 'localhost';
    }
    $_SERVER['HTTP_HOST'] = $host;
    $secure = strtolower(trim(explode(',', $_SERVER['HTTP_X_FORWARDED_PROTO'] ?? '')[0])) === 'https';
    if ($secure) {
        $_SERVER['HTTPS'] = 'on';
    }
    return ($secure ? 'https://' : 'http://') . $host;
}

define('DB_HOST', flotilla_setting('WORDPRESS_DB_HOST', 'database'));
define('DB_NAME', flotilla_setting('WORDPRESS_DB_NAME', 'wordpress'));
define('DB_USER', flotilla_setting('WORDPRESS_DB_USER', 'wordpress'));
define('DB_PASSWORD', flotilla_secret('WORDPRESS_DB_PASSWORD_FILE'));
define('DB_CHARSET', 'utf8mb4');

// The same on every replica, so that a session that began at one goes on at another.
$flotilla_salt = getenv('WORDPRESS_SALT_FILE') ? flotilla_secret('WORDPRESS_SALT_FILE') : DB_PASSWORD;
foreach (['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'] as $flotilla_use) {
    define("{$flotilla_use}_KEY", hash_hmac('sha256', "{$flotilla_use}_KEY", $flotilla_salt));
    define("{$flotilla_use}_SALT", hash_hmac('sha256', "{$flotilla_use}_SALT", $flotilla_salt));
}
unset($flotilla_salt, $flotilla_use);

define('WP_HOME', flotilla_site_url());
define('WP_SITEURL', WP_HOME);
define('WP_CONTENT_DIR', '/var/lib/wordpress/wp-content');
// A task's files are the image's: what is installed or updated in one replica would be missing in the others.
define('DISALLOW_FILE_MODS', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('DISABLE_WP_CRON', true);
