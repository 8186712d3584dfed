-- migrate:up
-- Where duties and requirements stand in a group's text: begin and end, begin and end, ... in
-- characters. Two ads of one title, employer and town with one core are one vacancy.
ALTER TABLE dedupe_groups ADD COLUMN core int[] NOT NULL DEFAULT '{}';

-- migrate:down
ALTER TABLE dedupe_groups DROP COLUMN core;
