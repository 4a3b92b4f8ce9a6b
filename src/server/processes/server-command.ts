import { intakeArgs, NO_INTAKE, type IntakeOptions } from '../../core/scuba/ports.ts'
import type { StatePaths } from '../../platform/paths.ts'

/** What a server is told of its cluster when it starts. */
export interface Membership {
  /** of `delos member token`, checked; null: it does not join */
  token: string | null
  name: string | null
  isVoter: boolean
  /** `HOST:PORT` where other servers reach it */
  peers: string | null
  /** how soon silence of the leader is believed to be its end; null: as the server has it */
  profile: string | null
  /** where it is; null: as before */
  region: string | null
}

/** Carries a token to join with from `muster up` to the server's process. */
const JOIN_TOKEN_VARIABLE = 'MUSTER_JOIN_TOKEN'

const NO_MEMBERSHIP: Membership = { token: null, name: null, isVoter: false, peers: null, profile: null, region: null }

/** How the server's process is started. The token is in no argument: everybody on the machine may list those. */
export function serverCommand(
  paths: Pick<StatePaths, 'root' | 'context'>,
  options: {
    listen: string | null
    etcd?: string | null
    postgres?: string | null
    agents?: string | null
    intake?: IntakeOptions
    membership?: Membership
  },
): { args: string[]; env: Record<string, string> } {
  const { token, name, isVoter, peers, profile, region } = options.membership ?? NO_MEMBERSHIP
  const args = ['--state-dir', paths.root, '--context', paths.context]
  if (options.listen) args.push('--listen', options.listen)
  if (options.etcd) args.push('--etcd', options.etcd)
  if (options.postgres) args.push('--postgres', options.postgres)
  args.push(...intakeArgs(options.intake ?? NO_INTAKE))
  if (options.agents) args.push('--agents', options.agents)
  if (name) args.push('--name', name)
  if (peers) args.push('--peers', peers)
  if (profile) args.push('--profile', profile)
  if (region) args.push('--region', region)
  if (isVoter) args.push('--voter')
  return { args, env: token === null ? {} : { [JOIN_TOKEN_VARIABLE]: token } }
}

/** The token that this process was started with, once: agents and tasks inherit what is left of the environment. */
export function takeJoinToken(env: NodeJS.ProcessEnv): string | null {
  const token = env[JOIN_TOKEN_VARIABLE] ?? null
  delete env[JOIN_TOKEN_VARIABLE]
  return token
}
