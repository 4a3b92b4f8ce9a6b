import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { Flags, MusterCommand } from '../cli/command.ts'
import { MusterError } from '../core/kernel/errors.ts'
import type { RemoteNode } from '../server/processes/remote-agent.ts'

export default class Agent extends MusterCommand {
  static override summary = "Make this machine a node of a fleet whose servers are elsewhere, and keep the node's agent running."
  static override description =
    'The first time it needs a token of `muster tw node token`; what it got for it is kept in the context, and the token is good for nothing any more. ' +
    'It stays in the foreground: let a service manager start it. When it ends, its agent ends and the tasks run on; the next one takes them over. `muster down` ends the tasks too.'
  static override examples = [
    '<%= config.bin %> agent --name n9 --token "$TOKEN" --rack r4',
    '<%= config.bin %> agent --name n9 --token-file token.txt --join 10.0.0.1:7800 --address 10.0.0.9',
    '<%= config.bin %> agent --name n9',
    '<%= config.bin %> agent --name g1 --gpu T4=2 --gpu V100=1 --disk 500GiB',
  ]
  static override flags = {
    name: Flags.string({ description: 'name of the node; at first that of the machine', helpValue: 'NAME' }),
    token: Flags.string({
      description: 'of `muster tw node token`; - reads it from standard input',
      env: 'MUSTER_NODE_TOKEN',
      helpValue: 'TOKEN',
    }),
    'token-file': Flags.string({ description: 'file that holds the token', helpValue: 'FILE', exclusive: ['token'] }),
    join: Flags.string({ description: 'where the server is, if not where the token says', helpValue: 'HOST:PORT' }),
    address: Flags.string({ description: 'where tasks of other nodes reach those of this one', default: '127.0.0.1', helpValue: 'HOST' }),
    region: Flags.string({ description: 'region the node is in', default: 'local' }),
    zone: Flags.string({ description: 'zone the node is in', default: 'local' }),
    rack: Flags.string({ description: 'rack the node is in', default: 'local' }),
    cpu: Flags.string({ description: 'cpu that tasks may reserve; without it all of the machine', helpValue: 'CPU' }),
    memory: Flags.string({ description: 'memory that tasks may reserve; without it three quarters of the machine', helpValue: 'SIZE' }),
    disk: Flags.string({
      description: 'disk that tasks may reserve; without it nine tenths of the file system of the state',
      helpValue: 'SIZE',
    }),
    gpu: Flags.string({
      description: "GPUs in the order of their indexes, or none; without it those that NVIDIA's driver names",
      multiple: true,
      default: [],
      helpValue: 'MODEL=COUNT',
    }),
    attribute: Flags.string({ description: 'what constraints may ask for', multiple: true, default: [], helpValue: 'NAME=VALUE' }),
  }

  async run(): Promise<void> {
    const { flags } = await this.start(Agent)
    const { joinAsAgent } = await import('../agent/join.ts')
    const { hasJoined, keepRemoteAgent, remoteNode } = await import('../server/processes/remote-agent.ts')
    const node: RemoteNode = remoteNode({ ...flags, name: flags.name ?? hostname().toLowerCase() })
    const token = tokenOf(flags)
    if (!hasJoined(this.paths, node.node)) {
      if (token === null)
        throw new MusterError('USAGE', `node ${node.node} has joined no fleet: --token is needed`, {
          hint: 'Make one with `muster tw node token` in the context of the fleet.',
        })
      await joinAsAgent(this.paths, { node: node.node, token, address: flags.join ?? null })
      this.note(`node ${node.node} has joined`)
    }
    const agent = await keepRemoteAgent(this.paths, node)
    this.note(`agent of node ${node.node} runs; Ctrl-C ends it and leaves the tasks`)
    const signal = this.interrupted()
    await new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true })))
    await agent.end()
  }
}

function tokenOf(flags: { token?: string | undefined; 'token-file'?: string | undefined }): string | null {
  const text =
    flags['token-file'] !== undefined
      ? readFileSync(flags['token-file'], 'utf8')
      : flags.token === '-'
        ? readFileSync(0, 'utf8')
        : flags.token
  return text === undefined ? null : text.trim()
}
