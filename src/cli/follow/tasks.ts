import type { Client } from '../client.ts'

/**
 * Asks again after every entry of tw until `isDone`, or until the time is over. Gives the last answer.
 * @param ask one question to the server; its `position` says from where news count
 */
export async function waitUntil<T>(
  client: Client,
  ask: () => Promise<{ data: T; position: number }>,
  isDone: (data: T) => boolean,
  options: { timeoutMs: number; signal: AbortSignal; onChange?: (data: T) => void },
): Promise<{ data: T; isDone: boolean }> {
  const deadline = AbortSignal.timeout(options.timeoutMs)
  const end = new AbortController()
  let latest = await ask()
  options.onChange?.(latest.data)
  if (isDone(latest.data)) return { data: latest.data, isDone: true }
  try {
    for await (const _ of client.events({
      from: latest.position,
      types: ['tw.'],
      signal: AbortSignal.any([deadline, options.signal, end.signal]),
    })) {
      latest = await ask()
      options.onChange?.(latest.data)
      if (isDone(latest.data)) return { data: latest.data, isDone: true }
    }
  } finally {
    end.abort()
  }
  return { data: latest.data, isDone: false }
}
