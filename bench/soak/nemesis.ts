import type { Network } from './network.ts'
import type { SoakServer } from './servers.ts'

/** What is done to three servers: begins, lasts, and is undone. */
export interface Fault {
  name: string
  begin: (target: Target) => Promise<void> | void
  end: (target: Target) => Promise<void> | void
}

export interface Target {
  network: Network
  /** the leader when the fault begins, then the others */
  leader: SoakServer
  followers: readonly [SoakServer, SoakServer]
}

const heal = ({ network }: Target): void => network.heal()
const all = ({ leader, followers }: Target): SoakServer[] => [leader, ...followers]

const restart = (servers: readonly SoakServer[]): void => {
  for (const server of servers) if (!server.isRunning()) server.start()
}

/** Every fault that a majority is to survive, and two that it is to come back from. */
export const FAULTS: readonly Fault[] = [
  {
    name: 'a follower is cut off',
    begin: ({ network, leader, followers: [one, other] }) => {
      network.cut(one.name, leader.name)
      network.cut(one.name, other.name)
    },
    end: heal,
  },
  {
    name: 'the leader is cut off from the majority',
    begin: ({ network, leader, followers }) => {
      for (const { name } of followers) network.cut(leader.name, name)
    },
    end: heal,
  },
  {
    name: 'the leader hears nobody, and is heard',
    begin: ({ network, leader, followers }) => {
      for (const { name } of followers) network.drop(name, leader.name)
    },
    end: heal,
  },
  {
    name: 'the leader hears all, and is not heard',
    begin: ({ network, leader, followers }) => {
      for (const { name } of followers) network.drop(leader.name, name)
    },
    end: heal,
  },
  {
    name: 'a follower hears nobody, and is heard',
    begin: ({ network, leader, followers: [one, other] }) => {
      network.drop(leader.name, one.name)
      network.drop(other.name, one.name)
    },
    end: heal,
  },
  {
    name: 'the leader and a follower hear only the third: a bridge',
    begin: ({ network, leader, followers: [one] }) => network.cut(leader.name, one.name),
    end: heal,
  },
  {
    name: 'the followers hear only the leader',
    begin: ({ network, followers: [one, other] }) => network.cut(one.name, other.name),
    end: heal,
  },
  {
    name: 'the leader is stopped for longer than its lease',
    begin: ({ leader }) => leader.signal('SIGSTOP'),
    end: ({ leader }) => leader.signal('SIGCONT'),
  },
  { name: 'the leader is killed with -9', begin: ({ leader }) => leader.signal('SIGKILL'), end: (target) => restart(all(target)) },
  {
    name: 'a follower is killed with -9',
    begin: ({ followers: [one] }) => one.signal('SIGKILL'),
    end: (target) => restart(all(target)),
  },
  {
    name: 'nobody hears anybody',
    begin: ({ network, leader, followers: [one, other] }) => {
      network.cut(leader.name, one.name)
      network.cut(leader.name, other.name)
      network.cut(one.name, other.name)
    },
    end: heal,
  },
  {
    name: 'all are killed with -9',
    begin: async (target) => {
      await Promise.all(all(target).map((server) => server.signal('SIGKILL')))
    },
    end: (target) => restart(all(target)),
  },
]
