import type { Effect } from '../../core/contracts/controller.ts'
import type { ReadDb } from '../../core/contracts/storage.ts'
import { CONFIG_KEYS, PUBLISH_CONFIG, type PublishBody, type PublishedSoft } from '../../core/delos/config/publish.ts'
import { versionRow } from '../../core/delos/config/rows.ts'
import { kvDel, kvPut } from '../../core/delos/operations.ts'
import { keyOf, keyText, prefixRange } from '../../core/delos/programs/text.ts'
import { rangeRequest } from '../../core/delos/recipes/etcd/request.ts'
import { NOBODY } from '../../core/delos/kv/command.ts'
import { isRpcError } from '../../core/delos/kv/errors.ts'
import type { ControlStore } from './control-store.ts'

const ACTOR = `effect:${PUBLISH_CONFIG}`

/**
 * Configurations as keys of the store. Which version a key has is remembered with the revision it was put at; what anybody else put
 * there, or what was there before this process, is compared once by its bytes.
 */
export function createConfigKeys(
  store: ControlStore,
  db: ReadDb,
): { soft: () => PublishedSoft; publish: (effect: Effect) => Promise<void> } {
  const known = new Map<string, { version: number; revision: number }>()

  const published = (): Map<string, number> => {
    const found = new Map<string, number>()
    const range = prefixRange(keyOf(CONFIG_KEYS))
    // Inside the process, so whatever users the store has.
    const who = store.replica.store.isAuthEnabled ? { user: 'root', authRevision: store.replica.store.authRevision } : NOBODY
    const answer = store.replica.store.range(rangeRequest(range, { keys_only: true }), who)
    if (isRpcError(answer)) return found
    for (const { key, mod_revision: revision } of answer.kvs) {
      const name = keyText(key).slice(CONFIG_KEYS.length)
      const mine = known.get(name)
      found.set(name, mine?.revision === revision ? mine.version : 0)
    }
    return found
  }

  const publish = async ({ body }: Effect): Promise<void> => {
    const { name, version } = body as PublishBody
    const key = `${CONFIG_KEYS}${name}`
    if (version === null) {
      await store.operate(kvDel.name, kvDel.input.parse({ key }), { actor: ACTOR })
      known.delete(name)
      return
    }
    const row = versionRow(db, name, version)
    // Another version is active by now, and asks for itself.
    if (row === null) return
    const revision = revisionWith(key, row.body) ?? (await put(key, row.body))
    known.set(name, { version, revision })
  }

  /** The revision of a key that says this already. */
  const revisionWith = (key: string, body: string): number | null => {
    const [kept] = store.replica.store.changesOfKey(keyOf(key), store.oldest(), Number.POSITIVE_INFINITY).slice(-1)
    return kept !== undefined && !kept.isDeleted && Buffer.from(body).equals(kept.value) ? kept.mod_revision : null
  }

  const put = async (key: string, body: string): Promise<number> => {
    const { value } = await store.operate(kvPut.name, kvPut.input.parse({ key, value: body }), { actor: ACTOR })
    return (value as { revision: number }).revision
  }

  return { soft: () => ({ published: published() }), publish }
}
