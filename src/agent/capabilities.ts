import { accessSync, constants, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findCgroups } from './exec/cgroups.ts'
import { canUseNamespaces } from './exec/isolation.ts'
import { succeeds, systemProgram } from './exec/programs.ts'
import { SHIM_TOOLS } from './exec/shim.ts'

export interface Capability {
  name: string
  isThere: boolean
  /** what was found, e.g. `cgroup v1` */
  found: string
  /** what its absence costs; '' when it is there */
  cost: string
  /** nothing runs without it */
  isNeeded: boolean
}

/**
 * What this machine offers to the node agent, found by trying rather than by version, and what each absence costs. For
 * `muster doctor`. Leaves nothing behind.
 * @param folder where the state is or will be: holes in files depend on its file system
 */
export function probeCapabilities(folder = tmpdir()): Capability[] {
  const isRoot = process.getuid?.() === 0
  const missing = SHIM_TOOLS.filter((tool) => systemProgram(tool) === null)
  const cgroups = isRoot ? writableCgroups() : { isThere: false, found: 'not root' }
  const capability = (name: string, isThere: boolean, found: string, cost: string, isNeeded = false): Capability => ({
    name,
    isThere,
    found,
    cost: isThere ? '' : cost,
    isNeeded,
  })
  return [
    capability(
      'task shim',
      missing.length === 0,
      missing.length === 0 ? `${systemProgram('dash') ?? systemProgram('sh')}` : `missing: ${missing.join(', ')}`,
      'No task can be started. Install coreutils and util-linux.',
      true,
    ),
    capability(
      'root',
      isRoot,
      isRoot ? 'yes' : `uid ${process.getuid?.()}`,
      'Tasks run as processes of this user: no memory limit by the kernel, no namespaces, no other users.',
    ),
    capability(
      'cgroup limits',
      cgroups.isThere,
      cgroups.found,
      'Memory is watched once a second and a task over its ceiling is killed; bursts between two looks pass, and cpu shares and process counts are not enforced.',
    ),
    capability(
      'namespaces',
      canUseNamespaces(),
      canUseNamespaces() ? 'pid, mount' : isRoot ? 'refused by the kernel' : 'not root',
      "Tasks see each other's processes and files; children that leave a task's process group can outlive it.",
    ),
    capability(
      'holes in log files',
      canPunchHoles(folder),
      `fallocate in ${folder}`,
      'Long logs are copied and cut instead, which can lose lines written in that moment.',
    ),
    capability(
      'default signals',
      succeeds('env', ['--default-signal=INT,QUIT', 'true']),
      'env --default-signal',
      'Tasks start with SIGINT and SIGQUIT ignored unless they set them: use SIGTERM as the stop signal.',
    ),
    capability(
      'pause fault',
      systemProgram('timeout') !== null && systemProgram('kill') !== null,
      'timeout, kill',
      'The chaos fault legion.pause cannot be used.',
    ),
    capability(
      'other users',
      isRoot && systemProgram('setpriv') !== null,
      systemProgram('setpriv') === null ? 'no setpriv' : 'setpriv',
      "A task's `user` cannot be honoured.",
    ),
    capability(
      'enter a task',
      !canUseNamespaces() || systemProgram('nsenter') !== null,
      'nsenter',
      '`muster tw task exec` cannot enter tasks that have namespaces.',
    ),
  ]
}

/** Mounts being there says little: containers mount them read-only. So one is made. */
function writableCgroups(): { isThere: boolean; found: string } {
  const mounts = findCgroups()
  if (mounts === null || mounts.memory === null) return { isThere: false, found: 'no memory controller mounted' }
  const probe = join(mounts.memory, `muster-probe-${process.pid}`)
  try {
    mkdirSync(probe)
    accessSync(join(probe, 'cgroup.procs'), constants.W_OK)
    rmdirSync(probe)
    const names = (['cpu', 'memory', 'pids'] as const).filter((name) => mounts[name] !== null)
    return { isThere: true, found: `cgroup v${mounts.version}: ${names.join(', ')}` }
  } catch (error) {
    return { isThere: false, found: `cgroup v${mounts.version}, ${(error as NodeJS.ErrnoException).code}` }
  }
}

function canPunchHoles(folder: string): boolean {
  let probe: string | null = null
  try {
    probe = mkdtempSync(join(folder, 'muster-probe-'))
    const file = join(probe, 'log')
    writeFileSync(file, 'x'.repeat(8192))
    if (!succeeds('fallocate', ['--punch-hole', '--offset', '0', '--length', '4096', file])) return false
    return readFileSync(file)[0] === 0 && readFileSync(file)[4096] !== 0
  } catch {
    return false // the folder is not there or not ours: said elsewhere
  } finally {
    if (probe !== null) rmSync(probe, { recursive: true, force: true })
  }
}
