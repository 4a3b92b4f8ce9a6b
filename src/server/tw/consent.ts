import { CONSENT_ANSWER_BYTES_MAX, consentAnswerSchema, consentAsks, type ConsentAnswer, type ConsentAsk } from '../../core/tw/queries.ts'
import { opAnswer } from '../../core/tw/operations.ts'
import type { ServerHost } from '../host.ts'
import { askAgent } from './ask-agent.ts'

/** Silence, garbage and "not yet" are asked again after this, doubled up to the most. */
const ASK_AGAIN_MS_MIN = 5000
const ASK_AGAIN_MS_MAX = 30_000
/** How soon it is looked again whether the budget has room. */
const LOOK_AGAIN_MS = 1000
/** An endpoint or command answers within this, or is silent. */
const ANSWER_MS_MAX = 5000

interface Asked {
  /** what it was told last */
  told: string
  waitMs: number
  /** of the monotonic clock */
  nextAt: number
  isAsking: boolean
  tries: number
  /** what went wrong the last time; '' nothing */
  trouble: string
}

export interface ConsentLoop {
  start: () => void
  stop: () => void
  /** what went wrong when a group's application was asked last; '' nothing */
  troubleOf: (job: string, group: string) => string
}

/**
 * Asks applications whether planned changes to their tasks may go: at once when something changed for them, else again after a growing
 * wait. What they answer is run as `tw.op.answer`. Silence and garbage are no answer. What was asked is not kept: a new leader asks anew.
 */
export function createConsentLoop(host: ServerHost): ConsentLoop {
  const groups = new Map<string, Asked>()
  const abort = new AbortController()
  let timer: NodeJS.Timeout | null = null
  let isPlanned = false
  let unlisten: (() => void) | null = null

  const look = (): void => {
    isPlanned = false
    if (abort.signal.aborted) return
    if (timer) clearTimeout(timer)
    timer = null
    const asks = consentAsks(host.db, host.now()).filter(({ consent }) => consent.kind !== 'pull')
    const present = new Set(asks.map(keyOf))
    for (const key of groups.keys()) if (!present.has(key)) groups.delete(key)
    const now = performance.now()
    for (const ask of asks) {
      const told = JSON.stringify(ask.request)
      const known = groups.get(keyOf(ask))
      const group = known ?? { told: '', waitMs: ASK_AGAIN_MS_MIN, nextAt: 0, isAsking: false, tries: 0, trouble: '' }
      groups.set(keyOf(ask), group)
      if (ask.request.budget.left === 0) {
        group.nextAt = now + LOOK_AGAIN_MS
        continue
      }
      if (told !== group.told) Object.assign(group, { waitMs: ASK_AGAIN_MS_MIN, nextAt: 0, tries: 0 })
      if (!group.isAsking && now >= group.nextAt) void askOnce(ask, group, told)
    }
    const next = Math.min(...[...groups.values()].filter((group) => !group.isAsking).map((group) => group.nextAt))
    if (Number.isFinite(next)) timer = setTimeout(look, Math.max(20, next - performance.now()))
  }
  const lookSoon = (): void => {
    if (!isPlanned) setImmediate(look)
    isPlanned = true
  }

  const askOnce = async (ask: ConsentAsk, group: Asked, told: string): Promise<void> => {
    Object.assign(group, { told, isAsking: true })
    try {
      const target = ask.targets[group.tries % Math.max(1, ask.targets.length)]
      group.tries += 1
      const answer = readAnswer(await textFrom(host, ask, target, told, abort.signal))
      if (abort.signal.aborted) return
      await host.run(opAnswer, { ...answer, job: ask.job, group: ask.group }, `consent:${ask.job}.${ask.group}`)
      group.trouble = ''
    } catch (error) {
      group.trouble = String((error as Error).message)
    } finally {
      group.isAsking = false
      group.nextAt = performance.now() + group.waitMs
      group.waitMs = Math.min(ASK_AGAIN_MS_MAX, group.waitMs * 2)
      lookSoon()
    }
  }

  return {
    start: () => {
      unlisten = host.onEntries((entries) => {
        if (entries.some((entry) => entry.type.startsWith('tw.'))) lookSoon()
      })
      lookSoon()
    },
    stop: () => {
      unlisten?.()
      abort.abort()
      if (timer) clearTimeout(timer)
    },
    troubleOf: (job, group) => groups.get(`${job}/${group}`)?.trouble ?? '',
  }
}

function keyOf({ job, group }: Pick<ConsentAsk, 'job' | 'group'>): string {
  return `${job}/${group}`
}

/** Throws when it is no answer. */
function readAnswer(text: string): ConsentAnswer {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Error(`the answer is not JSON: ${text.slice(0, 60)}`)
  }
  const answer = consentAnswerSchema.safeParse(value)
  if (!answer.success) throw new Error(`the answer has not the form {allow, delay, order}: ${answer.error.issues[0]?.message ?? ''}`)
  return answer.data
}

/** What the application says, by its endpoint or by its command on the node of one of its tasks. */
async function textFrom(
  host: ServerHost,
  ask: ConsentAsk,
  target: ConsentAsk['targets'][number] | undefined,
  body: string,
  signal: AbortSignal,
): Promise<string> {
  const { consent } = ask
  if (consent.kind === 'http' && 'url' in consent) return post(consent.url, body, signal)
  if (target === undefined) throw new Error('no task serves that could be asked')
  if (consent.kind === 'http') {
    const port = target.ports[consent.port]
    if (port === undefined) throw new Error(`${target.task} has no port ${consent.port}`)
    return post(`http://${target.address}:${port}${consent.path}`, body, signal)
  }
  if (consent.kind !== 'command') throw new Error(`nothing is asked by ${consent.kind}`)
  const asked = JSON.stringify({ command: consent.command, input: body, timeoutMs: ANSWER_MS_MAX })
  return limitedText(await askAgent(host, target.node, `/task/${target.id}/run`, 'POST', asked))
}

async function post(url: string, body: string, signal: AbortSignal): Promise<string> {
  const response = await fetch(url, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json' },
    redirect: 'error',
    signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS_MAX)]),
  })
  if (!response.ok || response.body === null) throw new Error(`${url} answers ${response.status}`)
  return limitedText(response.body)
}

async function limitedText(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of stream) {
    size += chunk.length
    if (size > CONSENT_ANSWER_BYTES_MAX) throw new Error(`the answer is longer than ${CONSENT_ANSWER_BYTES_MAX} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
