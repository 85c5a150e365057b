-- {stream}

CREATE TABLE IF NOT EXISTS `{stream}_changes` (
    {definitions}
) ENGINE = ReplacingMergeTree(`_seq`) ORDER BY `id`;

INSERT INTO `{stream}_changes` ({columns})
SELECT {columns}
FROM file('{stream}/*.{ndjson,ndjson.gz,ndjson.zst}', 'JSONEachRow', '{typed_in_quotes}')
SETTINGS date_time_input_format = 'best_effort', input_format_json_read_objects_as_strings = 1,
         input_format_json_read_arrays_as_strings = 1, input_format_json_read_numbers_as_strings = 1,
         input_format_json_read_bools_as_strings = 1;

CREATE OR REPLACE VIEW `{stream}` AS
SELECT {record}
FROM `{stream}_changes` FINAL
WHERE `_op` NOT IN ('delete', 'erase');

