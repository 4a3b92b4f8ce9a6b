import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { FaultReport } from '../../core/contracts/node.ts'
import type { ProcessId } from '../../platform/process.ts'

/** What must be known to undo a fault, on disk before the fault exists. Targets are named by pid and start time, never by pid alone. */
export interface LedgerEntry {
  v: 1
  id: string
  run: string
  fault: string
  target: ProcessId
  state: FaultReport['state'] | 'arming'
  effect: number
  message: string
}

/** One file per fault in `faults/`, and `REVERT.sh`, which undoes them all with nothing but a shell. */
export class FaultLedger {
  readonly #root: string

  constructor(root: string) {
    this.#root = root
    mkdirSync(root, { recursive: true, mode: 0o700 })
  }

  /** Durable when it returns: file and folder are synced. Throws what the disk says; then no fault may be made. */
  put(entry: LedgerEntry): void {
    const file = this.#file(entry.id)
    const fd = openSync(`${file}.new`, 'w', 0o600)
    writeFileSync(fd, JSON.stringify(entry))
    fsyncSync(fd)
    closeSync(fd)
    renameSync(`${file}.new`, file)
    const folder = openSync(this.#root, 'r')
    fsyncSync(folder)
    closeSync(folder)
    this.#writeScript()
  }

  remove(id: string): void {
    rmSync(this.#file(id), { force: true })
    this.#writeScript()
  }

  /** All entries; a torn file is named in `torn`. */
  read(): { entries: LedgerEntry[]; torn: string[] } {
    const entries: LedgerEntry[] = []
    const torn: string[] = []
    if (!existsSync(this.#root)) return { entries, torn }
    for (const name of readdirSync(this.#root)) {
      if (!name.endsWith('.json')) continue
      try {
        entries.push(JSON.parse(readFileSync(join(this.#root, name), 'utf8')) as LedgerEntry)
      } catch {
        torn.push(name)
      }
    }
    return { entries, torn }
  }

  #file(id: string): string {
    return join(this.#root, `${id.replaceAll(/[^\w.-]/g, '_')}.json`)
  }

  #writeScript(): void {
    const pauses = this.read().entries.filter(
      (entry) => entry.fault === 'legion.pause' && entry.state !== 'reverted' && entry.state !== 'failed',
    )
    const lines = pauses.map((entry) => `resume ${entry.target.pid} ${entry.target.startTime} ${entry.target.bootId}`)
    const script = `#!/bin/sh
# Undoes every fault of this node without muster. Written anew at each arming.
resume() {
  read -r boot < /proc/sys/kernel/random/boot_id; [ "$boot" = "$3" ] || return 0
  read -r stat < /proc/$1/stat || return 0
  pid=$1 start=$2; set -- \${stat##*) }; [ "\${20}" = "$start" ] && /bin/kill -CONT -- -$pid
}
${lines.join('\n')}
`
    const file = join(this.#root, 'REVERT.sh')
    writeFileSync(file, script)
    chmodSync(file, 0o700)
  }
}
