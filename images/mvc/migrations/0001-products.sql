-- Tables first, and only those that are missing: MariaDB commits each by itself. Rows come after them, and are committed
-- together with the number of this file.
CREATE TABLE IF NOT EXISTS products (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name VARCHAR(100) NOT NULL,
  category VARCHAR(100) NOT NULL,
  price DECIMAL(10, 2) NOT NULL
) ENGINE = InnoDB;

INSERT INTO products (name, category, price) VALUES
  ('Kayak', 'Watersports', 275.00),
  ('Lifejacket', 'Watersports', 48.95),
  ('Football', 'Soccer', 19.50),
  ('Corner flags', 'Soccer', 34.95),
  ('Thinking cap', 'Chess', 16.00);
