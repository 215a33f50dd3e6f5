-- It only adds, with a default: release 1.0 goes on reading and writing beside 1.1 while tasks are replaced.
ALTER TABLE products ADD COLUMN IF NOT EXISTS stock INT UNSIGNED NOT NULL DEFAULT 0;
