import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'

/** Where the things of one context are. One directory, safe to copy while the server is stopped. */
export interface StatePaths {
  context: string
  root: string
  /** the logs: `log/control/`, `log/kv/` */
  log: string
  /** which server of which cluster this is */
  identityJson: string
  stateDb: string
  kvDb: string
  lockDb: string
  scuba: string
  agents: string
  artifacts: string
  keys: string
  sevSpool: string
  /** logs of the server and of the processes it starts */
  logs: string
  /** written at start: pid, addresses; read by the CLI */
  serverJson: string
  /** the server's Unix socket */
  socket: string
  scubaSocket: string
  agent: (node: string) => AgentPaths
}

export interface AgentPaths {
  root: string
  /** control socket of the agent: logs, exec, status */
  socket: string
  /** where its tasks ask the fleet about themselves */
  apiSocket: string
  /** control socket of the node's proxy */
  proxySocket: string
  /** of the node's leaf of scuba, where it has one */
  leafSocket: string
  log: string
  proxyLog: string
  journal: string
  tasks: string
  faults: string
}

/** Longest path a Unix socket can have on Linux (sun_path less its zero). */
const SOCKET_PATH_MAX = 107

/**
 * Paths of a context. `$MUSTER_STATE_DIR` names the directory itself; else it is
 * `$XDG_STATE_HOME/muster/<context>`. Sockets move to a short directory when their path would be too long.
 */
export function statePaths(context: string, env: NodeJS.ProcessEnv = process.env): StatePaths {
  const stateHome = env['XDG_STATE_HOME'] || join(homedir(), '.local', 'state')
  const root = env['MUSTER_STATE_DIR'] || join(stateHome, 'muster', context)
  // Loaded when needed: the crypto module alone would be a third of what a read command may cost.
  const short = (): string =>
    join(
      tmpdir(),
      `muster-${process.getuid?.() ?? 0}-${process.getBuiltinModule('node:crypto').createHash('sha256').update(root).digest('hex').slice(0, 10)}`,
    )
  const socketPath = (name: string): string => {
    const path = join(root, name)
    return Buffer.byteLength(path) <= SOCKET_PATH_MAX ? path : join(short(), name.replaceAll('/', '-'))
  }
  const at = (name: string): string => join(root, name)
  return {
    context,
    root,
    log: at('log'),
    identityJson: at('identity.json'),
    stateDb: at('state.db'),
    kvDb: at('kv.db'),
    lockDb: at('lock.db'),
    scuba: at('scuba'),
    agents: at('agents'),
    artifacts: at('artifacts'),
    keys: at('keys'),
    sevSpool: at('sev-spool'),
    logs: at('logs'),
    serverJson: at('server.json'),
    socket: socketPath('muster.sock'),
    scubaSocket: socketPath('scuba.sock'),
    agent: (node) => ({
      root: at(`agents/${node}`),
      socket: socketPath(`agents/${node}/agent.sock`),
      apiSocket: socketPath(`agents/${node}/api.sock`),
      proxySocket: socketPath(`agents/${node}/proxy.sock`),
      leafSocket: socketPath(`agents/${node}/leaf.sock`),
      log: at(`agents/${node}/agent.log`),
      proxyLog: at(`agents/${node}/proxy.log`),
      journal: at(`agents/${node}/journal`),
      tasks: at(`agents/${node}/tasks`),
      faults: at(`agents/${node}/faults`),
    }),
  }
}
