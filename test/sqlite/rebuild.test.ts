import { describe, expect, it } from 'vitest'
import { check, foreignKey, notNull, unique } from '../../src/updates/constraints/constraint.js'
import { contentOf, dataOf, dependentsOf, openRebuildFixture, tableSql } from './rebuild-fixture.js'

const SHOP = `
  CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT COLLATE NOCASE UNIQUE, country TEXT DEFAULT 'DE');
  CREATE TABLE orders (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- given out once
    customer_id INT,
    parent_order INT REFERENCES orders (id) ON DELETE CASCADE,
    cents INT NOT NULL DEFAULT 0 CHECK (orders.cents >= 0),
    euros REAL AS (cents / 100.0),
    label TEXT GENERATED ALWAYS AS ('#' || cents) STORED,
    "select" TEXT,
    status TEXT DEFAULT 'new'
  );
  CREATE TABLE items (order_id INT NOT NULL REFERENCES orders ON DELETE CASCADE ON UPDATE CASCADE, name TEXT);
  CREATE TABLE log (line TEXT);
  CREATE INDEX orders_by_customer ON orders (customer_id, id DESC) WHERE cents > 10;
  CREATE UNIQUE INDEX main.[orders lower] ON "orders" (lower("select"));
  CREATE TRIGGER orders_added AFTER INSERT ON orders BEGIN INSERT INTO log VALUES ('order ' || new.id); END;
  CREATE TRIGGER items_added AFTER INSERT ON items BEGIN UPDATE orders SET cents = cents + 1 WHERE id = new.order_id; END;
  CREATE VIEW big_orders AS SELECT id, euros FROM main.orders WHERE cents > 100;
  CREATE VIEW bigger_orders AS SELECT * FROM big_orders WHERE euros > 2;
  CREATE TRIGGER big_orders_gone INSTEAD OF DELETE ON big_orders BEGIN DELETE FROM orders WHERE id = old.id; END;
  INSERT INTO customers VALUES (1, 'a@example.org', 'DE'), (2, 'b@example.org', NULL);
  INSERT INTO orders (id, customer_id, parent_order, cents, "select") VALUES
    (1, 1, NULL, 500, 'A'), (7, 2, 1, 50, 'B'), (20, NULL, 7, 150, NULL), (90, NULL, NULL, 1, NULL);
  INSERT INTO items VALUES (1, 'x'), (7, 'y'), (20, 'z');
  DELETE FROM orders WHERE id = 90;
  DELETE FROM log;`

describe('a rebuild', () => {
  it('adds a foreign key and keeps rows, indexes, triggers, views and the AUTOINCREMENT mark', async () => {
    const { raw, add, rows } = openRebuildFixture(SHOP)
    const orders = dataOf(raw, 'orders')
    const items = dataOf(raw, 'items')
    const dependents = dependentsOf(raw)
    expect(dependents).toHaveLength(7)

    await add({
      table: 'orders',
      constraint: foreignKey({ columns: { customer_id: 'id' }, references: 'customers', onDelete: 'set null' }),
    })

    expect(dataOf(raw, 'orders')).toEqual(orders)
    expect(dataOf(raw, 'items')).toEqual(items)
    expect(dependentsOf(raw)).toEqual(dependents)
    expect(rows("SELECT seq FROM sqlite_sequence WHERE name = 'orders'")).toEqual([[90]])
    expect(rows('SELECT count(*) FROM log')).toEqual([[0]])
    expect(rows("SELECT name FROM sqlite_schema WHERE name LIKE 'new%'")).toEqual([])
    expect(rows('PRAGMA integrity_check')).toEqual([['ok']])
    expect(rows('PRAGMA foreign_key_check')).toEqual([])
    expect(tableSql(raw, 'orders')).toContain('-- given out once')
  })

  it('leaves everything working: the constraint, views, triggers, foreign keys from and to the table', async () => {
    const { raw, add, rows } = openRebuildFixture(SHOP)
    await add({
      table: 'orders',
      constraint: foreignKey({ columns: { customer_id: 'id' }, references: 'customers', onDelete: 'set null' }),
    })

    expect(() => raw.exec('INSERT INTO orders (customer_id) VALUES (99)')).toThrow('FOREIGN KEY constraint failed')
    expect(() => raw.exec('INSERT INTO items VALUES (99, NULL)')).toThrow('FOREIGN KEY constraint failed')
    expect(() => raw.exec('INSERT INTO orders (cents) VALUES (-1)')).toThrow('CHECK constraint failed')
    expect(() => raw.exec(`INSERT INTO orders ("select") VALUES ('a')`)).toThrow('orders lower')
    raw.exec('INSERT INTO orders (customer_id, cents) VALUES (1, 300)')
    expect(rows('SELECT id, euros, label FROM orders WHERE cents = 300')).toEqual([[91, 3, '#300']])
    expect(rows('SELECT * FROM log')).toEqual([['order 91']])
    expect(rows('SELECT id FROM bigger_orders ORDER BY id')).toEqual([[1], [91]])
    raw.exec('DELETE FROM big_orders WHERE id = 91')
    raw.exec("INSERT INTO items VALUES (7, 'again')")
    expect(rows('SELECT cents FROM orders WHERE id = 7')).toEqual([[52]])
    raw.exec('DELETE FROM customers WHERE id = 2')
    expect(rows('SELECT customer_id FROM orders WHERE id = 7')).toEqual([[null]])
    // The cascade goes on through the table to itself and to its children.
    raw.exec('DELETE FROM orders WHERE id = 1')
    expect(rows('SELECT count(*) FROM orders')).toEqual([[0]])
    expect(rows('SELECT count(*) FROM items')).toEqual([[0]])
  })

  it.each([
    [
      'a unique key',
      unique(['customer_id', 'cents']),
      'INSERT INTO orders (customer_id, cents) VALUES (1, 501)',
      'UNIQUE',
    ],
    ['a NOT NULL', notNull('status'), 'INSERT INTO orders (status) VALUES (NULL)', 'NOT NULL'],
    ['a check', check('cents < 1000 OR "select" IS NOT NULL'), 'INSERT INTO orders (cents) VALUES (1000)', 'CHECK'],
  ])('adds %s', async (_name, constraint, refused, message) => {
    const { raw, add } = openRebuildFixture(SHOP)
    const orders = dataOf(raw, 'orders')
    const dependents = dependentsOf(raw)
    await add({ table: 'orders', constraint })
    expect(dataOf(raw, 'orders')).toEqual(orders)
    expect(dependentsOf(raw)).toEqual(dependents)
    expect(() => raw.exec(refused)).toThrow(message)
  })

  it('never deletes a child row, although the table is dropped', async () => {
    const { raw, add, rows } = openRebuildFixture(`
      CREATE TABLE parents (id INTEGER PRIMARY KEY, name TEXT);
      CREATE TABLE children (id INTEGER PRIMARY KEY, parent INT REFERENCES parents ON DELETE CASCADE);
      CREATE TABLE nulled (parent INT REFERENCES parents ON DELETE SET NULL);
      CREATE TABLE restricted (parent INT REFERENCES parents ON DELETE RESTRICT);
      INSERT INTO parents VALUES (1, 'a'), (2, 'b');
      INSERT INTO children VALUES (10, 1), (11, 1), (12, 2);
      INSERT INTO nulled VALUES (1);
      INSERT INTO restricted VALUES (2)`)
    const before = ['children', 'nulled', 'restricted'].map((table) => dataOf(raw, table))
    await add({ table: 'parents', constraint: notNull('name') })
    expect(['children', 'nulled', 'restricted'].map((table) => dataOf(raw, table))).toEqual(before)
    expect(rows('SELECT count(*) FROM parents')).toEqual([[2]])
  })

  it('makes a foreign key whose columns cross, to the table itself', async () => {
    const { raw, add } = openRebuildFixture(`
      CREATE TABLE nodes (a INT, b INT, parent_b INT, parent_a INT, UNIQUE (a, b));
      INSERT INTO nodes VALUES (1, 2, NULL, NULL), (3, 4, 2, 1), (5, 6, NULL, 77)`)
    await add({
      table: 'nodes',
      constraint: foreignKey({ columns: { parent_b: 'b', parent_a: 'a' }, references: 'nodes' }),
    })
    expect(() => raw.exec('INSERT INTO nodes VALUES (7, 8, 1, 2)')).toThrow('FOREIGN KEY')
    raw.exec('INSERT INTO nodes VALUES (7, 8, 4, 3)')
    expect(tableSql(raw, 'nodes')).toContain('REFERENCES "nodes"')
  })

  it('keeps rowids, which may be known elsewhere', async () => {
    const { raw, add, rows } = openRebuildFixture(`
      CREATE TABLE notes (id TEXT PRIMARY KEY, body TEXT);
      INSERT INTO notes (rowid, id, body) VALUES (5, 'e', 'five'), (-3, 'c', 'three'), (9223372036854775807, 'z', 'last');
      CREATE TABLE hidden (rowid TEXT, oid TEXT, body TEXT);
      INSERT INTO hidden (_rowid_, rowid, body) VALUES (42, 'x', 'y');
      CREATE VIRTUAL TABLE search USING fts5(body, content = 'notes', content_rowid = 'rowid');
      INSERT INTO search (search) VALUES ('rebuild');
      CREATE TABLE everything (rowid, _rowid_, oid);
      INSERT INTO everything VALUES (1, 2, 3);
    `)
    await add({ table: 'notes', constraint: notNull('body') })
    await add({ table: 'hidden', constraint: notNull('body') })
    await add({ table: 'everything', constraint: notNull('oid') })
    expect(raw.prepare('SELECT rowid, id FROM notes ORDER BY 1').safeIntegers().raw().all()).toEqual([
      [-3n, 'c'],
      [5n, 'e'],
      [9223372036854775807n, 'z'],
    ])
    expect(rows('SELECT _rowid_, rowid, body FROM hidden')).toEqual([[42, 'x', 'y']])
    expect(rows('SELECT * FROM everything')).toEqual([[1, 2, 3]])
    expect(rows("SELECT body FROM search WHERE search MATCH 'five'")).toEqual([['five']])
  })

  it('keeps WITHOUT ROWID and STRICT', async () => {
    const { raw, add, rows } = openRebuildFixture(`
      CREATE TABLE pairs (a INT, b TEXT, c ANY, PRIMARY KEY (b, a DESC)) WITHOUT ROWID, STRICT;
      CREATE INDEX pairs_c ON pairs (c);
      INSERT INTO pairs VALUES (1, 'x', 2.5), (2, 'x', 'text'), (1, 'y', x'00')`)
    const pairs = dataOf(raw, 'pairs')
    await add({ table: 'pairs', constraint: unique(['c']) })
    expect(dataOf(raw, 'pairs')).toEqual(pairs)
    expect(rows("SELECT wr, strict FROM pragma_table_list WHERE name = 'pairs'")).toEqual([[1, 1]])
    expect(() => raw.exec("INSERT INTO pairs VALUES ('no integer', 'z', 1)")).toThrow('cannot store TEXT')
  })

  it('keeps the mark of an AUTOINCREMENT table that is empty', async () => {
    const { raw, add, rows } = openRebuildFixture(`
      CREATE TABLE tickets (id INTEGER PRIMARY KEY AUTOINCREMENT, seat INT);
      INSERT INTO tickets VALUES (4000000000000000000, 1);
      DELETE FROM tickets`)
    await add({ table: 'tickets', constraint: unique(['seat']) })
    raw.exec('INSERT INTO tickets (seat) VALUES (1)')
    expect(raw.prepare('SELECT id FROM tickets').safeIntegers().pluck().all()).toEqual([4000000000000000001n])
    expect(rows('SELECT name FROM sqlite_sequence')).toEqual([['tickets']])
  })

  it('keeps every value as it is stored, whatever the type of its column', async () => {
    const { raw, add, rows } = openRebuildFixture(`
      CREATE TABLE "values" (i INTEGER, t TEXT, r REAL, n NUMERIC, b BLOB, x);
      INSERT INTO "values" VALUES ('text', 12, 1, '0012', 3, 5.0), (9007199254740993, 'é', 1e300, 1.50, x'00ff', -0.0);
      INSERT INTO "values" VALUES (NULL, NULL, NULL, NULL, NULL, NULL)`)
    const sql =
      'SELECT typeof(i), quote(i), typeof(t), quote(t), quote(r), typeof(n), quote(n), quote(b), typeof(x), quote(x) FROM "values"'
    const before = rows(sql)
    await add({ table: 'values', constraint: unique(['i', 't']) })
    expect(rows(sql)).toEqual(before)
    expect(raw.prepare('SELECT count(*) FROM "values"').pluck().get()).toBe(3)
  })

  it('drops no row where the table says ON CONFLICT IGNORE or REPLACE', async () => {
    const { add, rows } = openRebuildFixture(`
      CREATE TABLE t (a INT NOT NULL ON CONFLICT IGNORE, b INT UNIQUE ON CONFLICT REPLACE, c INT);
      INSERT INTO t VALUES (1, 1, 1), (2, 2, 1)`)
    await expect(
      add({
        table: 't',
        constraint: unique(['b']),
        newTableSql: 'CREATE TABLE t (a INT, b INT, c INT UNIQUE ON CONFLICT REPLACE, CONSTRAINT added UNIQUE (b))',
      }),
    ).rejects.toThrow('UNIQUE constraint failed')
    await add({ table: 't', constraint: unique(['a', 'b']) })
    expect(rows('SELECT a, b, c FROM t')).toEqual([
      [1, 1, 1],
      [2, 2, 1],
    ])
  })

  it('finds a free name for the time in between, and leaves what has the usual one', async () => {
    const { raw, add, rows } = openRebuildFixture(`
      CREATE TABLE t (a INT);
      CREATE TABLE new_t (mine TEXT);
      CREATE VIEW NEW_T_2 AS SELECT 1;
      INSERT INTO t VALUES (1);
      INSERT INTO new_t VALUES ('keep')`)
    await add({ table: 't', constraint: notNull('a') })
    expect(rows('SELECT * FROM new_t')).toEqual([['keep']])
    expect(rows('SELECT * FROM t')).toEqual([[1]])
    expect(raw.prepare('SELECT name FROM sqlite_schema ORDER BY name').pluck().all()).toEqual(['NEW_T_2', 'new_t', 't'])
  })

  it('survives views and triggers that are broken already', async () => {
    const { raw, add } = openRebuildFixture(`
      CREATE TABLE t (a INT);
      CREATE TABLE u (a INT);
      CREATE VIEW broken AS SELECT missing FROM t, nowhere;
      CREATE TRIGGER broken_trigger AFTER INSERT ON u BEGIN INSERT INTO nowhere SELECT missing FROM t; END`)
    const dependents = dependentsOf(raw)
    await add({ table: 't', constraint: unique(['a']) })
    expect(dependentsOf(raw)).toEqual(dependents)
  })

  it('finds the table and its columns under SQLite’s rules for names', async () => {
    const { raw, add, rows } = openRebuildFixture(
      `
      CREATE TABLE "Order ""table"", [x]" ("Group by" INT, 'b c' TEXT /* , */, [d]]" INT);
      `.replace('[d]]"', '[d]'),
    )
    raw.exec(`INSERT INTO "Order ""table"", [x]" VALUES (1, 'x', 2)`)
    await add({ table: 'order "TABLE", [x]', constraint: notNull('b c'), constraintName: 'it\'s "named"' })
    expect(rows(`SELECT * FROM "Order ""table"", [x]"`)).toEqual([[1, 'x', 2]])
    expect(() => raw.exec(`INSERT INTO "Order ""table"", [x]" VALUES (1, NULL, 2)`)).toThrow('NOT NULL')
    expect(tableSql(raw, 'Order "table", [x]')).toContain(`CONSTRAINT "it's ""named""" NOT NULL`)
  })

  it('keeps the statistics of the planner', async () => {
    const { raw, add, rows } = openRebuildFixture(`${SHOP}; ANALYZE`)
    const before = rows('SELECT tbl, idx, stat FROM sqlite_stat1 ORDER BY 1, 2')
    expect(before.length).toBeGreaterThan(2)
    await add({ table: 'orders', constraint: unique(['id', 'cents']) })
    expect(rows('SELECT tbl, idx, stat FROM sqlite_stat1 ORDER BY 1, 2')).toEqual(before)
    expect(raw.prepare('SELECT count(*) FROM sqlite_stat4').pluck().get()).toBeGreaterThan(0)
  })

  it('copies 200 000 rows in SQL, without taking them into the memory of the process', async () => {
    const { add, rows } = openRebuildFixture(`
      CREATE TABLE big (id INTEGER PRIMARY KEY, body TEXT);
      CREATE INDEX big_body ON big (body);
      WITH RECURSIVE counter (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counter WHERE n < 200000)
      INSERT INTO big SELECT n, 'row ' || n || ' ' || hex(zeroblob(100)) FROM counter`)
    const before = process.memoryUsage().heapUsed
    await add({ table: 'big', constraint: notNull('body') })
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(20 * 1024 * 1024)
    expect(rows('SELECT count(*), min(id), max(id), sum(length(body)) > 40000000 FROM big')).toEqual([
      [200000, 1, 200000, 1],
    ])
  })
})

describe('a rebuild with the SQL given', () => {
  const GIVEN = `
    CREATE TABLE t (a INT, b TEXT, c INT AS (a + 1), d INT);
    CREATE TABLE child (a INT REFERENCES t (a));
    CREATE UNIQUE INDEX t_a ON t (a);
    INSERT INTO t (a, b, d) VALUES (1, 'one', 10), (2, 'two', 20);
    INSERT INTO child VALUES (2)`

  it('copies by the names of the columns, in whatever order they are', async () => {
    const { raw, add, rows } = openRebuildFixture(GIVEN)
    await add({
      table: 't',
      constraint: notNull('b'),
      newTableSql: `CREATE TABLE main.t (
        d INT, c INT, extra TEXT DEFAULT 'new', B TEXT CONSTRAINT added NOT NULL, a INT CHECK (t.a < 100)) STRICT`,
    })
    // What was generated is a plain column now and keeps its values.
    expect(rows('SELECT a, b, c, d, extra FROM t')).toEqual([
      [1, 'one', 2, 10, 'new'],
      [2, 'two', 3, 20, 'new'],
    ])
    expect(() => raw.exec('DELETE FROM t WHERE a = 2')).toThrow('FOREIGN KEY')
    expect(rows("SELECT name FROM sqlite_schema WHERE type = 'index'")).toEqual([['t_a']])
  })

  it.each([
    [
      'loses a column',
      'CREATE TABLE t (a INT, b TEXT CONSTRAINT added NOT NULL, c INT AS (a + 1))',
      'column "d" is missing',
    ],
    [
      'generates what was stored',
      'CREATE TABLE t (a INT, b TEXT CONSTRAINT added NOT NULL, d INT AS (a))',
      'column "d"',
    ],
    ['is of another table', 'CREATE TABLE u (a INT, b TEXT CONSTRAINT added NOT NULL, d INT)', 'not of this table'],
    ['is temporary', 'CREATE TEMP TABLE t (a INT, b TEXT CONSTRAINT added NOT NULL, d INT)', 'not of this table'],
    ['lacks the constraint', 'CREATE TABLE t (a INT, b TEXT, d INT)', 'has no constraint "added"'],
    ['is no CREATE TABLE', 'DROP TABLE t', 'no CREATE TABLE'],
    ['has a mistake', 'CREATE TABLE t (a INT, b TEXT CONSTRAINT added NOT NULL, d INT NOT)', 'syntax error'],
  ])('is refused when it %s', async (_name, newTableSql, reason) => {
    const { raw, add } = openRebuildFixture(GIVEN)
    const before = contentOf(raw)
    await expect(add({ table: 't', constraint: notNull('b'), newTableSql })).rejects.toThrow(reason)
    expect(contentOf(raw)).toEqual(before)
  })
})
