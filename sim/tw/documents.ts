import type { Prng } from '../../src/core/kernel/prng.ts'
import { isNotYet, notYetIssues } from '../../src/core/tw/spec/not-yet.ts'
import type { Behaviour } from './behaviour.ts'

type Kind = 'service' | 'batch' | 'system' | 'sysbatch'

/** A job as the people of this fleet think of it; each version of it is written anew. */
export interface Idea {
  job: string
  kind: Kind
  groups: string[]
}

type Document = Record<string, unknown>

const STATIC_PORT = 8443
/** Of the machines of this fleet. */
export const GPU_MODELS = ['T4', 'V100'] as const

/** Writes job documents: every key a job file knows, in the values that tell something in a small fleet within minutes. */
export class Author {
  readonly #prng: Prng
  #release = 0

  constructor(prng: Prng) {
    this.#prng = prng
  }

  idea(i: number): Idea {
    const kinds: Kind[] = ['service', 'service', 'service', 'service', 'service', 'batch', 'batch', 'system', 'sysbatch']
    const kind = this.#of(kinds.filter((it) => notYetIssues({ kind: it }).length === 0))
    return { job: `j${i}`, kind, groups: this.#one(4) ? ['g1', 'g2'] : ['g1'] }
  }

  /** The next version of it. */
  write({ job, kind, groups }: Idea): Document {
    const document = {
      job,
      kind,
      priority: 10 + this.#prng.below(5) * 20,
      groups: Object.fromEntries(groups.map((name, i) => [name, this.#group(kind, i === 0 ? null : (groups[0] ?? null))])),
    }
    return carriedOut(document)
  }

  /** The version before with something changed that needs no new process, or only a new release. */
  revise(document: Document): Document {
    const next = structuredClone(document)
    for (const group of Object.values(next['groups'] as Record<string, Document>)) {
      if (group['count'] !== undefined) group['count'] = this.#count()
      if (this.#one(2)) group['availability'] = this.#availability()
      if (this.#one(2)) (group['main'] as { env: Document }).env['RELEASE'] = this.#nextRelease()
    }
    return carriedOut(next)
  }

  #group(kind: Kind, before: string | null): Document {
    const isRun = kind === 'batch' || kind === 'sysbatch'
    const isPerNode = kind === 'system' || kind === 'sysbatch'
    const isStatic = !isRun && this.#one(6)
    const isChecked = !isRun && !this.#one(4)
    return {
      ...(isPerNode ? {} : { count: this.#count() }),
      availability: this.#availability(),
      ...this.#sometimes(5, { constraints: [this.#constraint()] }),
      ...this.#sometimes(5, { affinities: [{ [this.#constraint()]: this.#of([-50, 30, 80]) }] }),
      ...this.#sometimes(4, {
        spread: this.#of([{ zone: 'even' }, { zone: { z1: 60, z2: 40 } }, { zone: { targets: 'even', hard: true } }]),
      }),
      ...this.#sometimes(isPerNode ? Infinity : 6, { distinct: this.#of([{ node: 1 }, { rack: 2 }, { zone: 2 }]) }),
      ...this.#sometimes(6, { preempts: true }),
      ...this.#sometimes(isPerNode ? Infinity : 6, {
        disconnect: { lost_after: `${1 + this.#prng.below(20)}s`, keep: this.#of(['best', 'original', 'replacement']) },
      }),
      ...this.#sometimes(kind === 'batch' ? 5 : Infinity, { all_or_nothing: true }),
      ...this.#sometimes(isRun ? 4 : Infinity, { max_run_time: '15s' }),
      ...(before === null
        ? {}
        : this.#sometimes(2, { after: { [before]: this.#of(isRun ? ['started', 'completed'] : ['started', 'healthy']) } })),
      network: { ports: isStatic ? { http: { static: STATIC_PORT } } : { http: null } },
      update: {
        healthy_deadline: `${12 + this.#prng.below(20)}s`,
        progress_deadline: `${40 + this.#prng.below(40)}s`,
        auto_revert: this.#one(2),
        canary: this.#of([0, 0, 0, 1]),
      },
      restart: { attempts: this.#prng.below(3), interval: '60s', delay: `${1 + this.#prng.below(3)}s` },
      reschedule: { delay: `${1 + this.#prng.below(5)}s`, factor: 2, max_delay: '20s' },
      main: {
        command: ['./serve'],
        env: { RELEASE: this.#nextRelease(), SIM: JSON.stringify(this.#behaviour(isRun)) },
        resources: {
          cpu: `${100 + this.#prng.below(6) * 100}m`,
          memory: `${64 * (1 + this.#prng.below(8))}MiB`,
          ...this.#sometimes(3, { disk: `${1 + this.#prng.below(8)}GiB` }),
          ...this.#sometimes(5, { gpu: this.#gpu() }),
        },
        ...(isChecked ? { health: { readiness: { http: '/', port: 'http', interval: '1s' } } } : {}),
        stop: { timeout: `${2 + this.#prng.below(8)}s` },
      },
    }
  }

  #gpu(): Document {
    return {
      ...this.#of([{ count: 1 }, { count: 2 }, { share: '30%' }, { share: '50%' }]),
      ...this.#sometimes(3, { models: [this.#of(GPU_MODELS)] }),
    }
  }

  #availability(): Document {
    return {
      max_unavailable: this.#of([0, 1, 1, 2, '34%']),
      max_surge: this.#of([1, 1, 2, '50%']),
      min_healthy_time: `${this.#prng.below(6)}s`,
      order: this.#of(['any', 'any', 'any', 'index', 'reverse-index']),
      ...this.#sometimes(4, { consent: 'pull', order: this.#of(['any', 'leader-last']), consent_timeout: '20s' }),
    }
  }

  #behaviour(isRun: boolean): Partial<Behaviour> {
    const prng = this.#prng
    const readyMs = 200 + prng.below(4000)
    const stopMs = this.#one(8) ? null : 50 + prng.below(3000)
    if (isRun)
      return { readyMs, stopMs, end: { afterMs: 2000 + prng.below(20_000), code: this.#one(6) ? 1 : 0 }, crashIn: prng.below(3) * 3 }
    switch (prng.below(16)) {
      case 0:
        return { readyMs: null, stopMs }
      case 1:
        return { readyMs, stopMs, end: { afterMs: 1000 + prng.below(5000), code: 1 } }
      case 2:
      case 3:
        return { readyMs, stopMs, crashIn: 2 + prng.below(4) }
      default:
        return { readyMs, stopMs }
    }
  }

  #constraint(): string {
    return this.#of(['node.arch = amd64', 'node.arch != arm64', 'node.zone in z1,z2', 'node.kernel >= 6.1', 'node.meta.tier is-set'])
  }

  #count(): number {
    return 1 + this.#prng.below(6)
  }

  #nextRelease(): string {
    this.#release += 1
    return String(this.#release)
  }

  #sometimes(oneIn: number, part: Document): Document {
    return this.#one(oneIn) ? part : {}
  }

  #one(of: number): boolean {
    return this.#prng.below(of) === 0
  }

  #of<T>(list: readonly T[]): T {
    return list[this.#prng.below(list.length)] as T
  }
}

/** Without the keys that nobody carries out yet. */
function carriedOut(document: Document): Document {
  const prune = (value: unknown, path: readonly string[]): unknown => {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return value
    const entries = Object.entries(value).flatMap(([key, of]): [string, unknown][] => {
      const at = [...path, key]
      return isNotYet(at) ? [] : [[key, prune(of, at)]]
    })
    return Object.fromEntries(entries)
  }
  const kept = prune(document, []) as Document
  // What is left are values, of keys that have a default.
  for (const { path } of notYetIssues(kept)) {
    const parent = path.slice(0, -1).reduce<unknown>((at, key) => (at as Document)[key], kept) as Document
    delete parent[String(path.at(-1))]
  }
  return kept
}
