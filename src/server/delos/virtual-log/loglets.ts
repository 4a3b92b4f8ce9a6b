import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Stretch } from '../../../core/contracts/stretch.ts'
import type { Ballot } from '../../../core/delos/paxos/ballot.ts'
import { fileConfigSchema, quorumConfigSchema } from '../../../core/delos/virtual-log/quorum-config.ts'
import type { NewLoglet } from '../../../core/delos/virtual-log/reconfigure.ts'
import type { Segment } from '../../../core/delos/virtual-log/value.ts'
import type { MusterError } from '../../../core/kernel/errors.ts'
import type { Logger } from '../../../platform/logger.ts'
import { openFileLoglet, type FileLoglet } from '../file-loglet.ts'
import type { Peers } from '../quorum/peers.ts'
import { openQuorumFiles, openQuorumLog, type QuorumFiles, type QuorumLog } from '../quorum/quorum-log.ts'
import { fileStretch } from './file-stretch.ts'

export interface LogletsOptions {
  /** each loglet has a directory of its own in it, named by its id, 8 hex digits */
  dir: string
  clusterId: bigint
  self: { server: number; id: bigint }
  /** ids of all servers of the register, by number */
  servers: () => ReadonlyMap<number, bigint>
  peers: Peers
  profile: 'lan' | 'wan'
  segmentBytes: number
  mayBeNew: boolean
  onSync: (ms: number) => void
  log: Logger
  onFatal: (error: MusterError) => void
}

/** A loglet that may become part of the chain: everything it needs is on the disk and open, so that it begins at once. */
type Prepared = { kind: 'file'; file: FileLoglet } | { kind: 'quorum'; files: QuorumFiles } | { kind: 'etcd'; ready: EtcdReady }

interface Making {
  ballot: Ballot
  isHurried: boolean
}

type EtcdReady = import('../etcd-loglet/etcd-stretch.ts').EtcdReady

/** Makes, opens and removes loglets of every kind at this server. */
export class Loglets {
  readonly #options: LogletsOptions
  readonly #prepared = new Map<number, Prepared>()
  readonly #preparing = new Map<number, Promise<Prepared>>()

  constructor(options: LogletsOptions) {
    this.#options = options
  }

  dirOf(loglet: number): string {
    return join(this.#options.dir, loglet.toString(16).padStart(8, '0'))
  }

  /** Whether this server has a part in a loglet. */
  takesPart(segment: Pick<NewLoglet, 'kind' | 'config'>): boolean {
    const { server } = this.#options.self
    if (segment.kind === 'etcd') return true
    if (segment.kind === 'file') return fileConfigSchema.parse(segment.config).server === server
    const { voters, learners } = quorumConfigSchema.parse(segment.config)
    return voters.includes(server) || learners.includes(server)
  }

  isPrepared(loglet: number): boolean {
    return this.#prepared.has(loglet)
  }

  /**
   * Makes it ready to begin. Asked again, it is. Rejects with what is in the way.
   * @param ballot of a quorum: what this server is to promise in it, as its files are made; 0: nothing
   * @param isHurried the log stands still until then; else its disk is left to what is written meanwhile
   */
  async prepare({ loglet, kind, config }: NewLoglet, ballot: Ballot, isHurried: boolean): Promise<void> {
    if (this.#prepared.has(loglet)) return
    const making = this.#preparing.get(loglet) ?? this.#make(loglet, kind, config, { ballot, isHurried })
    this.#preparing.set(loglet, making)
    this.#prepared.set(loglet, await making.finally(() => this.#preparing.delete(loglet)))
  }

  /** What this server promised in a loglet that nobody has begun; 0: nothing. */
  promisedIn(loglet: number): Ballot {
    const prepared = this.#prepared.get(loglet)
    return prepared?.kind === 'quorum' && prepared.files.isUnused ? prepared.files.acceptor.state.promised : 0
  }

  /** @param making it is being made, and promises `ballot`; null: it is, or was, part of the chain */
  async #make(loglet: number, kind: NewLoglet['kind'], config: Segment['config'], making: Making | null): Promise<Prepared> {
    const { clusterId, segmentBytes, onSync, log } = this.#options
    const dir = this.dirOf(loglet)
    if (kind === 'file') {
      const file = await openFileLoglet(dir, { segmentBytes, onSync })
      return { kind, file }
    }
    if (kind === 'quorum') return { kind, files: await openQuorumFiles({ dir, clusterId, loglet, segmentBytes, onSync, log }, making) }
    const { readyEtcd } = await import('../etcd-loglet/etcd-stretch.ts')
    return { kind, ready: readyEtcd(config, loglet) }
  }

  /** Proves that a prepared loglet could take appends: its first file is written and synced, its etcd answers. */
  async probe(loglet: number, isHurried: boolean): Promise<void> {
    const prepared = this.#prepared.get(loglet)
    if (prepared?.kind === 'file') await prepared.file.prepare(isHurried)
    else if (prepared?.kind === 'etcd') await prepared.ready.probe()
  }

  /** Opens a segment in which this server has a part. */
  async open(segment: Segment): Promise<Stretch> {
    const { loglet, kind, config, firstPosition: first, lastRound } = segment
    const prepared = this.#prepared.get(loglet) ?? (await (this.#preparing.get(loglet) ?? this.#make(loglet, kind, config, null)))
    this.#prepared.delete(loglet)
    const { self, onFatal } = this.#options
    if (prepared.kind === 'file') {
      prepared.file.beginAt(first)
      return fileStretch({ file: prepared.file, loglet, first, lastRound, self: self.id, onFatal })
    }
    if (prepared.kind === 'etcd') {
      const { log, servers } = this.#options
      const isOpener = config['opener'] === self.server
      return prepared.ready.open({ first, lastRound, self: self.server, isOpener, servers, log, onFatal })
    }
    const { voters, learners } = quorumConfigSchema.parse(config)
    const { clusterId, peers, profile, mayBeNew, log } = this.#options
    const dir = this.dirOf(loglet)
    const servers = this.#options.servers()
    const common = { dir, clusterId, loglet, first, lastRound, self: self.server, servers }
    return openQuorumLog({ ...common, voters, learners, peers, profile, mayBeNew, log, onFatal }, prepared.files)
  }

  /** Gives up a loglet that never became part of the chain, or whose batches nobody needs any more. */
  async remove(loglet: number): Promise<void> {
    const prepared = this.#prepared.get(loglet)
    this.#prepared.delete(loglet)
    if (prepared !== undefined) await closePrepared(prepared)
    await rm(this.dirOf(loglet), { recursive: true, force: true })
  }

  async close(): Promise<void> {
    for (const prepared of this.#prepared.values()) await closePrepared(prepared)
    this.#prepared.clear()
  }
}

async function closePrepared(prepared: Prepared): Promise<void> {
  if (prepared.kind === 'file') await prepared.file.close()
  else if (prepared.kind === 'etcd') prepared.ready.close()
  else {
    await prepared.files.acceptor.close()
    await prepared.files.journal.close()
  }
}

export function isQuorum(stretch: Stretch): stretch is QuorumLog {
  return 'moveLeader' in stretch
}
