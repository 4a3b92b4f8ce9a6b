/** The JSON gateway of etcd's port, as clients in a hurry use it: one call, one answer or none in time. */

export const base64 = (text: string): string => Buffer.from(text).toString('base64')
export const plain = (text: string | undefined): string => Buffer.from(text ?? '', 'base64').toString()

/** A key as an answer has it; 64-bit numbers are strings and zeros are left out. */
export interface JsonKv {
  key: string
  value?: string
  create_revision?: string
  mod_revision?: string
  version?: string
  lease?: string
}

/** Everything that the answers used here may hold. */
export interface JsonAnswer {
  header: { revision: string; member_id: string }
  kvs?: JsonKv[]
  prev_kv?: JsonKv
  prev_kvs?: JsonKv[]
  deleted?: string
  succeeded?: boolean
  responses?: { response_range?: { kvs?: JsonKv[] }; response_put?: { prev_kv?: JsonKv } }[]
  leader?: string
  hash?: number
  ID?: string
  TTL?: string
  /** of a stream: its first message */
  result?: { TTL?: string }
}

/** Gives null when there was no answer, or none that says what came of it. */
export async function ask(url: string, path: string, body: object, timeoutMs: number): Promise<JsonAnswer | null> {
  try {
    const answer = await fetch(`${url}/v3/${path}`, { method: 'POST', body: JSON.stringify(body), signal: AbortSignal.timeout(timeoutMs) })
    const said = await answer.json()
    return answer.status === 200 ? (said as JsonAnswer) : null
  } catch {
    return null
  }
}

/** The key after all keys that begin with `prefix`. */
export const endOf = (prefix: string): string => prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)

export interface WatchedEvent {
  revision: number
  key: string
  /** null: deleted */
  value: string | null
}

interface WatchLine {
  result?: {
    canceled?: boolean
    compact_revision?: string
    events?: { type?: string; kv: JsonKv }[]
  }
}

/**
 * Follows all keys from a revision on; hands over the events of each message as they come. Resolves when the stream ended, was aborted,
 * or was silent for `silenceMs`: a server that is cut off keeps its streams open and says nothing.
 */
export async function follow(
  url: string,
  fromRevision: number,
  silenceMs: number,
  signal: AbortSignal,
  onEvents: (events: WatchedEvent[]) => void,
): Promise<void> {
  const silence = new AbortController()
  let timer = setTimeout(() => silence.abort(), silenceMs)
  try {
    const answer = await fetch(`${url}/v3/watch`, {
      method: 'POST',
      body: JSON.stringify({ create_request: { key: 'AA==', range_end: 'AA==', start_revision: String(fromRevision) } }),
      signal: AbortSignal.any([signal, silence.signal]),
    })
    const decoder = new TextDecoder()
    let rest = ''
    for await (const part of answer.body ?? []) {
      clearTimeout(timer)
      timer = setTimeout(() => silence.abort(), silenceMs)
      const lines = (rest + decoder.decode(part, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        if (line === '') continue
        const { result } = JSON.parse(line) as WatchLine
        if (result?.canceled === true) return
        const events = (result?.events ?? []).map(({ type, kv }) => ({
          revision: Number(kv.mod_revision),
          key: plain(kv.key),
          value: type === 'DELETE' ? null : plain(kv.value),
        }))
        if (events.length > 0) onEvents(events)
      }
    }
  } catch {
    // The server went away, or was silent: whoever follows goes to another.
  } finally {
    clearTimeout(timer)
    silence.abort()
  }
}
