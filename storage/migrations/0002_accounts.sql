-- Accounts that others made: a one-time link to choose a password, and an end.
ALTER TABLE people ADD COLUMN welcome_sha256 TEXT;
ALTER TABLE people ADD COLUMN welcome_until INTEGER;
ALTER TABLE people ADD COLUMN disabled_at INTEGER;
