import type pg from 'pg'

/** Branches; a hundred thousand accounts each. */
export const TPCB_SCALE = 10

/** The tables of pgbench, as `pgbench --initialize --scale=10` makes them. */
export async function createTpcbTables(admin: pg.Client): Promise<void> {
  await admin.query(`
    CREATE TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
    CREATE TABLE pgbench_tellers (tid int NOT NULL, bid int, tbalance int, filler char(84)) WITH (fillfactor = 100);
    CREATE TABLE pgbench_accounts (aid int NOT NULL, bid int, abalance int, filler char(84)) WITH (fillfactor = 100);
    CREATE TABLE pgbench_branches (bid int NOT NULL, bbalance int, filler char(88)) WITH (fillfactor = 100);
    INSERT INTO pgbench_branches SELECT n, 0 FROM generate_series(1, ${TPCB_SCALE}) AS n;
    INSERT INTO pgbench_tellers SELECT n, (n - 1) / 10 + 1, 0 FROM generate_series(1, ${TPCB_SCALE * 10}) AS n;
    INSERT INTO pgbench_accounts SELECT n, (n - 1) / 100000 + 1, 0, '' FROM generate_series(1, ${TPCB_SCALE * 100_000}) AS n;
    ALTER TABLE pgbench_branches ADD PRIMARY KEY (bid);
    ALTER TABLE pgbench_tellers ADD PRIMARY KEY (tid);
    ALTER TABLE pgbench_accounts ADD PRIMARY KEY (aid)`)
  await admin.query('VACUUM (ANALYZE) pgbench_branches, pgbench_tellers, pgbench_accounts')
}
