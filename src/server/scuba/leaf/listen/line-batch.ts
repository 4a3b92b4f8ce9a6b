import { isRefusal } from '../../../../core/kernel/errors.ts'
import { LIMITS } from '../../../../core/scuba/limits.ts'
import { QUARANTINE_TABLE } from '../../../../core/scuba/quarantine.ts'
import { take, type Intake } from './take.ts'

const BATCH_BYTES = 1024 * 1024
const WAITING_BYTES_MAX = 4 * 1024 * 1024
/** A line is in the store at most so long after it came. */
const WAIT_MS = 200
const RETRY_MS = 1000
/** While the store refuses for now, rows are kept and tried so often; then they are dropped, counted and told. */
const TRIES_MAX = 60

/** Lines of one sender on their way into a table, in the order they came. */
export class LineBatch {
  table: string
  readonly #intake: Intake
  readonly #sender: string
  #lines: string[] = []
  #bytes = 0
  #timer: NodeJS.Timeout | null = null
  #sending: Promise<void> | null = null
  #dropped = 0

  /** @param sender the way in, and from where */
  constructor(intake: Intake, table: string, sender: string) {
    this.#intake = intake
    this.#sender = sender
    this.table = table
  }

  get isFull(): boolean {
    return this.#bytes >= WAITING_BYTES_MAX
  }

  /** One JSON object, or what is meant to be one. */
  add(line: string): void {
    this.#lines.push(line)
    this.#bytes += line.length + 1
    if (this.#bytes >= BATCH_BYTES) void this.flush()
    else this.#timer ??= setTimeout(() => void this.flush(), WAIT_MS)
  }

  drop(count = 1): void {
    this.#dropped += count
  }

  /** Resolves when there is room again. */
  async room(): Promise<void> {
    while (this.isFull) await this.flush()
  }

  /** Sends what waits; resolves when it is in the store. */
  async flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#sending ??= this.#send().finally(() => (this.#sending = null))
    await this.#sending
  }

  async #send(): Promise<void> {
    while (this.#lines.length > 0) {
      const lines = this.#lines
      const bytes = this.#bytes
      this.#lines = []
      const rows = lines.filter((line) => line.startsWith('{'))
      if (rows.length > 0) await this.#store(this.table, rows)
      // A body that begins with something else would be refused whole.
      if (rows.length < lines.length)
        await this.#store(
          QUARANTINE_TABLE,
          lines.filter((line) => !line.startsWith('{')).map((line) => this.#setAside(line)),
        )
      this.#bytes -= bytes
    }
    if (this.#dropped === 0) return
    this.#intake.store.log.warn('rows were dropped', { table: this.table, rows: this.#dropped })
    this.#dropped = 0
  }

  #setAside(line: string): string {
    return JSON.stringify({ table: this.table, reason: 'not a JSON object', text: line.slice(0, LIMITS.quarantineLineCharsMax) })
  }

  async #store(table: string, rows: readonly string[]): Promise<void> {
    const body = Buffer.from(`${rows.join('\n')}\n`)
    for (let attempt = 1; ; attempt += 1) {
      try {
        await take(this.#intake, { table, body, sender: this.#sender }, null)
        return
      } catch (error) {
        const isForNow = isRefusal(error) && error.exit === 6
        if (!isForNow || attempt >= TRIES_MAX) {
          this.#intake.store.log.warn('rows were not taken', { table, rows: rows.length, error: String(error) })
          return
        }
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
    }
  }
}
