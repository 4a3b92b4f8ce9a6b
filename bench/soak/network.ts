import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

/**
 * A network of its own for each server: namespaces joined by a bridge, which is in a namespace too, so that nothing of it is seen on the
 * machine. What is cut is dropped without a word, as a broken switch would do; a refusal would be noticed at once.
 */
export interface Network {
  addressOf: (name: string) => string
  /** What runs a command there: put it before the command. */
  inside: (name: string) => string[]
  /** `to` no longer hears `from`; the other way is left as it is. */
  drop: (from: string, to: string) => void
  /** Neither hears the other. */
  cut: (one: string, other: string) => void
  /** Everyone hears everyone. */
  heal: () => void
  /** Pulls the cable of a server out, or puts it in again. Needs no rules. */
  unplug: (name: string) => void
  plug: (name: string) => void
  /** Takes it away, with all processes in it. */
  close: () => void
}

const PREFIX = 'muster-soak-'
const NET = '10.77.0'

const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

/** Why a network cannot be made here, or null: it can. @param hasRules whether one way between two servers is to be cut, and not cables alone */
export function whyNoNetwork(hasRules = true): string | null {
  if (process.getuid?.() !== 0) return 'needs root'
  for (const program of hasRules ? ['ip', 'iptables'] : ['ip'])
    if (spawnSync(program, ['-V']).error !== undefined) return `needs ${program}`
  const probe = `${PREFIX}${process.pid}-probe`
  try {
    ip('netns', 'add', probe)
    ip('-n', probe, 'link', 'add', 'br0', 'type', 'bridge')
    if (hasRules) ip('netns', 'exec', probe, 'iptables', '-w', '-A', 'INPUT', '-s', `${NET}.1`, '-j', 'DROP')
    return null
  } catch (error) {
    return `needs network namespaces with a bridge${hasRules ? ' and iptables' : ''} (${(error as Error).message.trim().split('\n').at(-1)})`
  } finally {
    spawnSync('ip', ['netns', 'del', probe])
  }
}

/** Makes the network, after taking away what dead makers left behind. Throws if {@link whyNoNetwork} has a reason. */
export function openNetwork(names: readonly string[]): Network {
  sweepNetworks()
  const network = networkOf(process.pid, names)
  const bridge = spaceOf(process.pid, 'bridge')
  ip('netns', 'add', bridge)
  ip('-n', bridge, 'link', 'add', 'br0', 'type', 'bridge')
  ip('-n', bridge, 'link', 'set', 'br0', 'up')
  for (const name of names) {
    const space = spaceOf(process.pid, name)
    ip('netns', 'add', space)
    ip('-n', bridge, 'link', 'add', `to-${name}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', space)
    ip('-n', bridge, 'link', 'set', `to-${name}`, 'master', 'br0', 'up')
    ip('-n', space, 'addr', 'add', `${network.addressOf(name)}/24`, 'dev', 'eth0')
    ip('-n', space, 'link', 'set', 'eth0', 'up')
    ip('-n', space, 'link', 'set', 'lo', 'up')
  }
  return network
}

const spaceOf = (maker: number, name: string): string => `${PREFIX}${maker}-${name}`

/** The network that the process `maker` made; for a process that runs inside of it. */
export function networkOf(maker: number, names: readonly string[]): Network {
  const addressOf = (name: string): string => `${NET}.${names.indexOf(name) + 1}`
  const rule = (name: string, ...args: string[]): string => ip('netns', 'exec', spaceOf(maker, name), 'iptables', '-w', ...args)
  const drop = (from: string, to: string): void => void rule(to, '-A', 'INPUT', '-s', addressOf(from), '-j', 'DROP')
  return {
    addressOf,
    inside: (name) => ['ip', 'netns', 'exec', spaceOf(maker, name)],
    drop,
    cut: (one, other) => {
      drop(one, other)
      drop(other, one)
    },
    heal: () => {
      for (const name of names) rule(name, '-F', 'INPUT')
    },
    unplug: (name) => void ip('-n', spaceOf(maker, 'bridge'), 'link', 'set', `to-${name}`, 'down'),
    plug: (name) => void ip('-n', spaceOf(maker, 'bridge'), 'link', 'set', `to-${name}`, 'up'),
    close: () => {
      for (const name of [...names, 'bridge']) removeSpace(spaceOf(maker, name))
    },
  }
}

/** Takes away the networks whose maker is gone, with whatever still runs in them. */
export function sweepNetworks(): void {
  for (const line of ip('netns', 'list').split('\n')) {
    const [space = ''] = line.split(' ')
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(space)?.[1]
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) removeSpace(space)
  }
}

function removeSpace(space: string): void {
  // In these namespaces there is nothing but what was started there.
  for (const pid of spawnSync('ip', ['netns', 'pids', space], { encoding: 'utf8' }).stdout.split('\n')) {
    if (pid === '' || Number(pid) === process.pid) continue
    try {
      process.kill(Number(pid), 'SIGKILL')
    } catch {
      // It has just ended.
    }
  }
  spawnSync('ip', ['netns', 'del', space])
}
