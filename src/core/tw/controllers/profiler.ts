import type { Controller, Effect } from '../../contracts/controller.ts'
import type { Proposal } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { must } from '../../kernel/assert.ts'
import { drainStarted } from '../entries/drains.ts'
import { profileFinished, profileStarted, profileWaits, profileWriting } from '../entries/profiles.ts'
import { homeless } from '../ops/homeless.ts'
import { nextToSwitch, profileRow, switchingNodes, type NodeProfileRow } from '../profiles/rows.ts'
import { fromJson, type DrainRow } from '../rows.ts'
import { plannersImage, type TwSoft } from '../soft.ts'

/** Tells an agent to put its node into a profile. Outcome: `profileFinished`. */
export const PUT_PROFILE = 'tw.profile'

export interface PutProfileBody {
  node: string
  switch: number
  profile: string
  version: number
  settings: Record<string, string>
}

/** What fits nowhere else is looked at again after this. */
const LOOK_AGAIN_MS = 10_000
/** Of a hundred nodes so many are switched at once, and always one. */
const AT_ONCE_PERCENT = 2

/** Puts nodes into profiles, a few at once, each closed while it is switched and emptied first if the profile says so. */
export const profiler: Controller<TwSoft> = {
  name: 'tw.profile',
  wakes: ['tw.Profile', 'tw.Drain', 'tw.Node'],
  decide: (db, now, soft) => {
    const busy = switchingNodes(db)
    const entries = busy.flatMap((row) => (row.state === 'draining' ? afterDrain(db, row) : []))
    const nodes = db.get<{ n: number }>('SELECT count(*) AS n FROM tw_node')?.n ?? 0
    const room = Math.max(1, Math.floor((nodes * AT_ONCE_PERCENT) / 100)) - busy.length
    if (room <= 0) return { entries, wakeAt: null }
    let wakeAt: number | null = null
    for (const row of nextToSwitch(db, room)) {
      const { drains } = must(profileRow(db, row.profile, row.version), `profile ${row.profile}`)
      const without = drains === 1 ? homeless(db, plannersImage(db, soft), [row.node]) : []
      if (without.length > 0) {
        const why = `room elsewhere for ${without.join(', ')}`
        if (row.why !== why) entries.push(profileWaits.of({ node: row.node, why }))
        wakeAt = now + LOOK_AGAIN_MS
        break
      }
      entries.push(profileStarted.of({ node: row.node, drains: drains === 1 }))
      if (drains === 0) continue
      const { node, profile } = row
      entries.push(drainStarted.of({ node, deadlineMs: null, isForced: false, isHard: false, profile, reason: `profile ${profile}` }))
      // What this one needs elsewhere is known once it moves.
      break
    }
    return { entries, wakeAt }
  },
  effects: (db) => switchingNodes(db).flatMap((row): Effect[] => (row.state === 'writing' ? [effectOf(db, row)] : [])),
}

function afterDrain(db: ReadDb, { node, switch: id }: NodeProfileRow): Proposal[] {
  const drain = db.get<DrainRow>('SELECT * FROM tw_drain WHERE node = ?', node)
  if (drain === undefined)
    return [profileFinished.of({ node, switch: id, outcome: 'failed', differs: {}, why: 'its drain was called off; nothing was written' })]
  return drain.finished_at === null ? [] : [profileWriting.of({ node })]
}

function effectOf(db: ReadDb, { node, switch: id, profile, version }: NodeProfileRow): Effect {
  const settings = fromJson<Record<string, string>>(must(profileRow(db, profile, version), `profile ${profile}`).settings)
  const body: PutProfileBody = { node, switch: id, profile, version, settings }
  return { key: `tw.profile:${id}:${node}`, kind: PUT_PROFILE, body }
}
