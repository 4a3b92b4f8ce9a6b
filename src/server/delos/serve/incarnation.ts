import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { isReplayed, withNumber } from '../../../core/delos/virtual-log/incarnation.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import { isDiskFull } from '../../../platform/files.ts'
import type { Logger } from '../../../platform/logger.ts'
import { diskFailed } from '../disk.ts'

export interface Incarnation {
  /** What another server is told first on each connection, and after each new number. */
  introduce: (to: bigint) => Uint8Array
  /** What another server told so. Gives why nothing more is to be taken from it; null: it may go on. */
  hear: (from: bigint, frame: Uint8Array) => string | null
  stop: () => void
}

export interface IncarnationOptions {
  dataDir: string
  name: string
  logger: Logger
  /** this data directory is from the past, or its disk failed */
  onFatal: (error: MusterError) => void
  /** after each new number of this server */
  onNumber: () => void
  /** time between two numbers of one that runs */
  everyMs?: number
}

const NAME = 'incarnations'
/** A copy made this long before it is brought back is found out, though its server did not start again in between. */
const EVERY_MS = 10 * 60_000

const fileSchema = z.object({
  /** numbers that this server went by, ascending */
  own: z.array(z.number()),
  /** id of another server, 16 hex digits → the newest number that it went by here */
  known: z.record(z.string(), z.number()),
})
const introductionSchema = z.object({ own: z.array(z.number()), you: z.number().nullable() })

/** Gives this server its number for this start, on the disk. Throws FILE_UNREADABLE or DELOS_DISK_FAILED. */
export function openIncarnation(options: IncarnationOptions): Incarnation {
  const { dataDir, name, logger, onFatal, onNumber, everyMs = EVERY_MS } = options
  const file = join(dataDir, NAME)
  let { own, known } = read(file)
  /** A full disk gives no new number and remembers none: what is found out then is only what was known before. */
  const write = (next: { own: number[]; known: Record<string, number> }): boolean => {
    try {
      const fd = openSync(`${file}.new`, 'w', 0o600)
      try {
        writeFileSync(fd, JSON.stringify(next))
        fsyncSync(fd)
      } finally {
        closeSync(fd)
      }
      renameSync(`${file}.new`, file)
      const dir = openSync(dataDir, 'r')
      try {
        fsyncSync(dir)
      } finally {
        closeSync(dir)
      }
    } catch (error) {
      if (isDiskFull(error)) return false
      throw diskFailed(file, error)
    }
    ;({ own, known } = next)
    return true
  }
  const raise = (): void => {
    if (!write({ own: withNumber(own, Date.now()), known })) logger.warn('no room to note that this server goes on', { file })
  }
  raise()
  const timer = setInterval(() => {
    try {
      raise()
      onNumber()
    } catch (error) {
      onFatal(error as MusterError)
    }
  }, everyMs)
  timer.unref()
  return {
    introduce: (to) => Buffer.from(JSON.stringify({ own, you: known[hexOf(to)] ?? null })),
    hear: (from, frame) => {
      const id = hexOf(from)
      const said = introductionOf(frame)
      if (said === null) return 'it introduces itself in a way that this program does not know'
      if (isReplayed(own, said.you)) {
        const text = `the data directory of ${name} is older than what server ${id} was told by it at ${timeText(said.you)}: it has forgotten promises`
        onFatal(new MusterError('DELOS_REPLAYED_SERVER', text))
        return text
      }
      const before = known[id] ?? null
      if (isReplayed(said.own, before))
        return `its data directory is from before ${timeText(before)}: it has forgotten promises it gave until then`
      const newest = said.own.at(-1) ?? 0
      if (newest > (before ?? 0)) {
        try {
          // Before anything it says is acted on.
          write({ own, known: { ...known, [id]: newest } })
        } catch (error) {
          onFatal(error as MusterError)
          return 'the disk of the other server failed'
        }
      }
      return null
    },
    stop: () => clearInterval(timer),
  }
}

function read(file: string): z.output<typeof fileSchema> {
  try {
    return fileSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { own: [], known: {} }
    throw new MusterError('FILE_UNREADABLE', `${file}, by which a copy from the past is found out, cannot be read`, {
      hint: 'Without it this server may have forgotten promises: remove it from its cluster, and let it join with an empty --data-dir.',
      cause: error,
    })
  }
}

function introductionOf(frame: Uint8Array): z.output<typeof introductionSchema> | null {
  try {
    const parsed = introductionSchema.safeParse(JSON.parse(Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).toString('utf8')))
    return parsed.success ? parsed.data : null
  } catch {
    return null // not JSON; the caller refuses it
  }
}

/** Numbers are about the time at which they were taken. */
const timeText = (number: number | null): string => new Date(number ?? 0).toISOString()

const hexOf = (id: bigint): string => id.toString(16).padStart(16, '0')
