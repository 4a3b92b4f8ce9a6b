import { mkdir, access, constants } from 'node:fs/promises'
import { isAbsolute, relative } from 'node:path'
import type { LogletEntry } from '../../../core/contracts/loglet.ts'
import type { OrderedLog } from '../../../core/contracts/ordered-log.ts'
import { ARCHIVE_BEHIND_MS } from '../../../core/delos/alarms/conditions.ts'
import type { ArchiveState } from '../../../core/delos/measure/server-page.ts'
import { segmentAt } from '../../../core/delos/virtual-log/chain.ts'
import type { RegisterValue } from '../../../core/delos/virtual-log/value.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import type { Logger } from '../../../platform/logger.ts'
import { readSpan } from './archive-reader.ts'
import { archiveDirOf, manifestIn, openArchiveWriter, type ArchiveIdentity, type ArchiveWriter } from './archive-writer.ts'
import { batchTimeOf } from './batch-time.ts'
import { readArchiveSettings, writeArchiveSettings, type ArchiveSettings } from './settings.ts'

export interface ArchiverOptions {
  dataDir: string
  identity: ArchiveIdentity
  log: OrderedLog & { value(): RegisterValue }
  fileBytesMax?: number
  logger: Logger
}

export interface Archiver {
  readonly settings: ArchiveSettings | null
  /** Of this server; null: it archives nothing. */
  state(): ArchiveState | null
  /** The last position that may be given up here for the archive's sake; null: any. */
  heldAfter(): number | null
  /** Where to from now on; null: nowhere. Resolves once it is on the disk and, with a place, a first archive is. Rejects with USAGE. */
  set(place: { to: string; everyMs: number } | null): Promise<void>
  /** Archives what is there now. Rejects with what is in the way. */
  run(): Promise<void>
  /** Archives the rest, unless that takes too long. */
  stop(): Promise<void>
}

/** Read and written at a time, between other work. */
const SLICE_MAX = 256
const SLICE_BYTES_MAX = 256 * 1024
/** Written between two manifests: what a kill -9 makes it do again. */
const COMMIT_BYTES = 32 * 1024 * 1024
const STOP_MS = 5000
const LOOK_MS = 5000

/** Writes the log of this server into a folder, again and again, behind everything else. */
export function startArchiver({ dataDir, identity, log, fileBytesMax, logger }: ArchiverOptions): Archiver {
  let settings = readArchiveSettings(dataDir)
  let writer: ArchiveWriter | null = null
  /** null: it is not known yet what is there */
  let archived: number | null = null
  let sinceMs = Date.now()
  let trouble: string | null = null
  let running: Promise<void> | null = null
  let timer: NodeJS.Timeout | null = null
  let isStopped = false
  let isToldBehind = false

  const openWriter = async ({ to, hasBegun }: ArchiveSettings): Promise<ArchiveWriter> => {
    if (hasBegun && (await manifestIn(archiveDirOf(to, identity.cluster, identity.server))) === null)
      throw new MusterError('DELOS_ARCHIVE_INVALID', `${to} no longer holds the archive that this server wrote there: is it mounted?`, {
        hint: 'If it is gone for good, begin anew with `muster delos log archive --to`.',
      })
    const opened = await openArchiveWriter({ to, identity, logger, ...(fileBytesMax === undefined ? {} : { fileBytesMax }) })
    try {
      await checkSame(opened)
    } catch (error) {
      await opened.close()
      throw error
    }
    return opened
  }

  /** A data directory that was brought back from a copy goes on differently from what was archived: that must not be written over. */
  const checkSame = async ({ dir, manifest }: ArchiveWriter): Promise<void> => {
    const last = manifest.files.at(-1)?.last ?? 0
    if (last < log.head() || last >= log.tail()) return
    const [ours] = log.read(last, 1)
    const theirs: LogletEntry[] = []
    for await (const entry of readSpan(dir, manifest.files, last, last)) theirs.push(entry)
    if (ours === undefined || theirs[0] === undefined || Buffer.compare(ours.payload, theirs[0].payload) === 0) return
    throw new MusterError('DELOS_ARCHIVE_INVALID', `${dir} and the log of this server differ at position ${last}`, {
      hint: 'Was the data directory brought back from a copy? Archive to another folder.',
    })
  }

  /** Where this server's copy of the log goes on from a position; it may lack stretches that lay in loglets of others. */
  const readableFrom = (from: number): number => {
    const at = Math.max(from, log.head())
    if (at >= log.tail() || log.read(at, 1).length > 0) return at
    const segment = segmentAt(log.value(), at)
    return segment?.end == null ? at : readableFrom(segment.end)
  }

  const once = async (into: ArchiveSettings): Promise<void> => {
    writer ??= await openWriter(into)
    const end = log.tail()
    const wanted = writer.next ?? log.head()
    if (wanted > end)
      throw new MusterError('DELOS_ARCHIVE_INVALID', `the archive goes to position ${wanted - 1}, the log only to ${end - 1}`, {
        hint: 'Was the data directory brought back from a copy? Archive to another folder.',
      })
    const start = readableFrom(wanted)
    if (writer.next !== null && start > wanted)
      logger.error('the log no longer has what should be archived next: the archive of this server has a hole', {
        from: wanted,
        to: start - 1,
      })
    let sinceCommit = 0
    for (let from = start; from < end;) {
      const entries = sliceOf(log.read(from, Math.min(SLICE_MAX, end - from)))
      if (entries.length === 0)
        throw new MusterError('UNAVAILABLE', `position ${from} of the log cannot be read at this server`, {
          hint: 'It lies in a loglet that others keep. Archive to another folder, and save a snapshot first.',
        })
      await writer.append(entries)
      for (const { payload } of entries) sinceCommit += payload.length
      from += entries.length
      if (sinceCommit < COMMIT_BYTES) continue
      sinceCommit = 0
      await writer.commit(skips())
      archived = from - 1
    }
    const last = writer.next === null ? 0 : writer.next - 1
    if (last > (archived ?? 0) || writer.manifest.writtenAtMs === 0) await writer.commit(skips())
    archived = last
    if (into.hasBegun || settings !== into) return
    settings = { ...into, hasBegun: true }
    await writeArchiveSettings(dataDir, settings)
  }
  const skips = (): number[] => log.value().skips.map(({ position }) => position)

  const run = (): Promise<void> => {
    const into = settings
    if (into === null) return Promise.resolve()
    running ??= once(into)
      .then(
        () => {
          if (trouble !== null) logger.info('the log is archived again', { to: into.to, position: archived })
          trouble = null
        },
        async (error: unknown) => {
          const why = (error as Error).message
          if (trouble !== why) logger.error('the log is not archived', { to: into.to, reason: why })
          trouble = why
          // What it has in memory may be ahead of the disk: read anew what is there.
          const failed = writer
          writer = null
          await failed?.close().catch(() => undefined)
          throw error
        },
      )
      .finally(() => {
        running = null
      })
    return running
  }

  const become = async (next: ArchiveSettings | null): Promise<void> => {
    if (timer !== null) clearInterval(timer)
    await running?.catch(() => undefined)
    await writeArchiveSettings(dataDir, next)
    const isElsewhere = next?.to !== settings?.to
    settings = next
    // The same place again is for who wants to begin there anew.
    if (!isElsewhere && trouble === null) return
    // What is archived elsewhere does not count here.
    archived = null
    sinceMs = Date.now()
    trouble = null
    const old = writer
    writer = null
    await old?.close()
  }

  const behindMs = (): number => {
    if (archived === null) return trouble === null ? 0 : Date.now() - sinceMs
    const next = archived + 1
    if (next >= log.tail()) return 0
    const [oldest] = log.read(Math.max(next, log.head()), 1)
    return oldest === undefined ? 0 : Math.max(0, Date.now() - batchTimeOf(oldest.payload))
  }
  const tick = (): void => {
    void run().catch(() => undefined)
  }
  const arm = (): void => {
    if (timer !== null) clearInterval(timer)
    timer = settings === null || isStopped ? null : setInterval(tick, settings.everyMs).unref()
  }
  const watching = setInterval(() => {
    const isBehind = settings !== null && behindMs() > ARCHIVE_BEHIND_MS
    if (isBehind && !isToldBehind) logger.error('the archive is more than 5 minutes behind', { to: settings?.to, reason: trouble })
    isToldBehind = isBehind
  }, LOOK_MS).unref()

  arm()
  tick()
  return {
    get settings() {
      return settings
    },
    state: () =>
      settings === null
        ? null
        : {
            to: settings.to,
            everyMs: settings.everyMs,
            archived,
            behind: Math.max(0, log.tail() - 1 - (archived ?? 0)),
            behindMs: behindMs(),
            trouble,
          },
    heldAfter: () => (settings === null ? null : (archived ?? 0)),
    set: async (next) => {
      if (next !== null) await checkPlace(dataDir, next.to)
      const before = settings
      await become(next === null ? null : { ...next, hasBegun: false })
      try {
        await run()
      } catch (error) {
        await become(before)
        throw error
      } finally {
        arm()
      }
    },
    run,
    stop: async () => {
      isStopped = true
      clearInterval(watching)
      if (timer !== null) clearInterval(timer)
      const rest = (running?.catch(() => undefined) ?? Promise.resolve()).then(run).catch(() => undefined)
      await Promise.race([rest, new Promise((resolve) => setTimeout(resolve, STOP_MS).unref())])
      await writer?.close().catch(() => undefined)
      writer = null
    },
  }
}

function sliceOf(entries: LogletEntry[]): LogletEntry[] {
  let bytes = 0
  const cut = entries.findIndex(({ payload }, i) => (bytes += payload.length) > SLICE_BYTES_MAX && i > 0)
  return cut < 0 ? entries : entries.slice(0, cut)
}

/** Before anything is kept of it. */
async function checkPlace(dataDir: string, to: string): Promise<void> {
  if (!isAbsolute(to)) throw new MusterError('USAGE', `${to} is no absolute path`)
  const within = relative(dataDir, to)
  if (within === '' || (!within.startsWith('..') && !isAbsolute(within)))
    throw new MusterError('USAGE', `${to} is in the data directory of this server`, {
      hint: 'An archive is for when that is gone: name a folder on another disk.',
    })
  try {
    await mkdir(to, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
    await access(to, constants.W_OK)
  } catch (error) {
    throw new MusterError('USAGE', `${to} cannot be written to by this server (${(error as NodeJS.ErrnoException).code})`, { cause: error })
  }
}
