-- What the rows have in common, in a schema that goes when the database is made. `run` counts the dag runs of one year
-- from 0; they are made a slice after the other, each in a transaction that notes it: an interrupted making is continued.
-- Nothing is random: the same size gives the same rows, however many connections insert them.
CREATE SCHEMA build;

CREATE TABLE build.made (part text PRIMARY KEY, runs bigint NOT NULL);

CREATE FUNCTION build.runs() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE
    RETURN current_setting('bench.runs')::bigint;

CREATE FUNCTION build.slice_of_runs() RETURNS SETOF bigint LANGUAGE sql STABLE
    BEGIN ATOMIC SELECT generate_series(current_setting('bench.first')::bigint, current_setting('bench.end')::bigint - 1); END;

CREATE FUNCTION build.run_moment(run bigint) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
    RETURN timestamptz '2025-11-01 00:00:00+00' + run * (interval '365 days' / build.runs());

CREATE FUNCTION build.run_dag(run bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (ARRAY['sales_orders', 'finance_ledger', 'marketing_attribution', 'warehouse_stock', 'customer_churn_features'])[1 + run % 5]
        || '_' || (ARRAY['hourly', 'daily', 'sync', 'export'])[1 + run / 5 % 4] || '_' || lpad((run / 20 % 10)::text, 2, '0');

CREATE FUNCTION build.run_name(moment timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
    RETURN 'scheduled__' || to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') || '+00:00';

CREATE FUNCTION build.task_name(task bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (ARRAY['wait_for_upstream', 'extract_from_source', 'validate_schema', 'load.copy_into_staging', 'load.merge_into_target',
        'publish_dataset'])[1 + task % 6];

CREATE FUNCTION build.pseudo_random(number bigint, seed bigint, below bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (hashint8extended(number, seed) & 9223372036854775807) % below;

CREATE FUNCTION build.host_name(number bigint) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
    RETURN format('ip-10-192-%s-%s.us-east-1.compute.internal', 20 + number % 4, 10 + number % 200);

CREATE FUNCTION build.version_id(dag text) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN md5(dag || ' version 1')::uuid;
