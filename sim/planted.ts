import type { Controller, System } from '../src/core/contracts/controller.ts'
import type { EntryDef } from '../src/core/contracts/entry.ts'
import type { Db, ReadDb, Row, SqlValue } from '../src/core/contracts/storage.ts'
import type { TwSoft } from '../src/core/tw/soft.ts'

/** How a defect is planted at a border of the real system of tw: around one of its controllers or entries. */
export interface Planted {
  system?: (system: System) => System
}

type Decide = Controller<TwSoft>['decide']

/** The system with another way to decide for one controller. */
export function deciding(name: string, change: (decide: Decide) => Decide): Planted {
  return {
    system: (system) => ({
      ...system,
      controllers: system.controllers.map((it) => (it.name === name ? { ...it, decide: change(it.decide as Decide) } : it)),
    }),
  }
}

/** The system with an entry that sees another state when it is applied. */
export function applying(type: string, view: (db: Db) => Db): Planted {
  return {
    system: (system) => ({
      ...system,
      entries: system.entries.map((it) =>
        it.type === type ? ({ ...it, apply: (db, body, meta) => it.apply(view(db), body, meta) } satisfies EntryDef) : it,
      ),
    }),
  }
}

/** The system with a referee of budgets that sees another state. */
export function allowing(view: (db: Db) => Db): Planted {
  return both(applying('tw.OpsProposed', view), applying('tw.OpAllowed', view))
}

export function both(a: Planted, b: Planted): Planted {
  return { system: (system) => b.system?.(a.system?.(system) ?? system) ?? system }
}

/** The state as somebody sees it who is wrong about some rows. */
export function seen<D extends ReadDb>(db: D, change: (row: Row) => Row | undefined): D {
  return {
    ...db,
    get: (sql: string, ...params: SqlValue[]) => {
      const row = db.get(sql, ...params)
      return row && change(row)
    },
    all: (sql: string, ...params: SqlValue[]) =>
      db.all(sql, ...params).flatMap((row): Row[] => {
        const changed = change(row)
        return changed === undefined ? [] : [changed]
      }),
  }
}
