import type { z } from 'zod'
import { isRefusal, refuse } from '../../kernel/errors.ts'
import type { kvLevel } from '../operations/kv.ts'
import { rangeRequest, type KeyRange } from '../recipes/etcd/request.ts'
import { bytesOf } from '../../kernel/protobuf/byte-string.ts'
import type * as m from '../wire/messages.ts'
import { ask, type Program, type StoreOperation } from './program.ts'
import { keyIn, keyOf, prefixRange, textOut } from './text.ts'

type Level = z.output<typeof kvLevel.output>

/**
 * One level of the tree that keys make, cut at a separator. It goes from child to child, not from key to key: a child costs two requests,
 * whatever is below it. All of one revision.
 */
export const level: StoreOperation<z.output<typeof kvLevel.input>, Level> = {
  plan: null,
  run: function* ({ key, isKeyBase64, separator, after, isAfterBase64, limit }) {
    const prefix = keyIn(key, isKeyBase64)
    if (isRefusal(prefix)) return prefix
    const last = after === undefined ? null : keyIn(after, isAfterBase64)
    if (isRefusal(last)) return last
    const cut = keyOf(separator)
    const whole = prefixRange(prefix)
    if (last !== null && !last.startsWith(prefix))
      return refuse('USAGE', `"${after}" does not begin with the prefix it should come behind.`)
    const first = yield* ask('KV/Range', rangeRequest(whole, { count_only: true }))
    const { revision } = first.header
    const children: Level['children'] = []
    let from: m.Key | null = last === null ? whole.key : behind(childOf(last, prefix, cut))
    while (from !== null) {
      const found: m.Key | undefined = yield* nextKey({ key: from, range_end: whole.range_end }, revision)
      if (found === undefined) break
      if (children.length === limit) return { revision, count: first.count, children, more: true }
      const child = childOf(found, prefix, cut)
      const { text, isBase64 } = textOut(bytesOf(child.key))
      const keys = child.isPrefix
        ? (yield* ask('KV/Range', rangeRequest(prefixRange(child.key), { count_only: true, revision, serializable: true }))).count
        : 1
      children.push({ key: text, ...(isBase64 ? { isKeyBase64: true as const } : {}), isPrefix: child.isPrefix, count: keys })
      from = behind(child)
    }
    return { revision, count: first.count, children, more: false }
  },
}

function* nextKey(range: KeyRange, revision: number): Program<m.Key | undefined> {
  const { kvs } = yield* ask('KV/Range', rangeRequest(range, { limit: 1, keys_only: true, revision, serializable: true }))
  return kvs[0]?.key
}

interface Child {
  key: m.Key
  isPrefix: boolean
}

/** The child of `prefix` that a key is, or is below. */
function childOf(key: m.Key, prefix: m.Key, separator: m.Key): Child {
  const at = key.indexOf(separator, prefix.length)
  return at === -1 ? { key, isPrefix: false } : { key: key.slice(0, at + separator.length), isPrefix: true }
}

/** First key that is neither the child nor below it; null: none can be. */
function behind({ key, isPrefix }: Child): m.Key | null {
  if (!isPrefix) return `${key}\0`
  const { range_end: end } = prefixRange(key)
  return end === '\0' ? null : end
}
