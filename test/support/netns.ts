import { spawn, type ChildProcess } from 'node:child_process'
import { execa } from 'execa'
import { openNetwork, whyNoNetwork, type Network } from '../../bench/soak/network.ts'
import { BIN, type TestFleet } from './fleet.ts'

/** Why machines with networks of their own cannot be made here, or null. */
export const whyNoMachines = (): string | null => whyNoNetwork(false)

/** Machines of one network: each a network namespace, with a home of its own for what `muster` keeps there. */
export interface Machines {
  network: Network
  /** Runs `muster …` on a machine and waits for it. */
  muster: (machine: string, fleet: TestFleet, ...args: string[]) => Promise<{ exitCode: number; stdout: string; stderr: string }>
  /** Starts `muster …` there and leaves it running. */
  start: (machine: string, fleet: TestFleet, ...args: string[]) => ChildProcess
  close: () => void
}

export function openMachines(names: readonly string[]): Machines {
  const network = openNetwork(names)
  // Not `ip netns exec`: it mounts /sys anew, and cgroups would be gone.
  const words = (machine: string, args: readonly string[]): string[] => [
    `--net=/run/netns/${network.inside(machine).at(-1)}`,
    process.execPath,
    BIN,
    ...args,
  ]
  const started: ChildProcess[] = []
  return {
    network,
    muster: async (machine, { env, home }, ...args) => {
      const result = await execa('nsenter', words(machine, args), {
        env,
        extendEnv: false,
        reject: false,
        cwd: home,
        stdin: 'ignore',
        timeout: 90_000,
      })
      return { exitCode: result.exitCode ?? -1, stdout: String(result.stdout ?? ''), stderr: String(result.stderr ?? '') }
    },
    start: (machine, { env, home }, ...args) => {
      const child = spawn('nsenter', words(machine, args), { env, cwd: home, stdio: 'ignore' })
      started.push(child)
      return child
    },
    close: () => {
      for (const child of started) child.kill('SIGKILL')
      network.close()
    },
  }
}
