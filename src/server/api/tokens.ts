import { createHash, randomBytes } from 'node:crypto'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Role } from '../../core/contracts/operation.ts'
import type { ReadDb } from '../../core/contracts/storage.ts'
import { apiToken, goodTokens } from '../../core/delos/access/rows.ts'
import { tokenRoleSchema, type ApiToken } from '../../core/delos/access/schema.ts'
import { tokenAdopt, tokenNote } from '../../core/delos/operations.ts'
import { MusterError } from '../../core/kernel/errors.ts'
import { canonicalJson } from '../../core/kernel/json.ts'
import type { Logger } from '../../platform/logger.ts'
import type { ServerHost, Wiring } from '../host.ts'
import { verifierOf } from '../scuba/leaf/pg/scram-tools.ts'
import type { Caller, TokenStore } from './roles.ts'

const fileSchema = z.array(z.object({ name: z.string(), role: tokenRoleSchema, hash: z.string().regex(/^[0-9a-f]{64}$/) }))
const ADOPT_RETRY_MS = 1000

/** SHA-256 of a token, hex: all that the fleet keeps of it. */
export function hashOfToken(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

/** Tokens of the fleet, each of whose servers looks them up in its own state; and those of this server's file until the fleet has them, too. */
export interface FleetTokens extends TokenStore {
  /** Gives the fleet what is in the file `keys/tokens.json`, where older versions kept them, and removes it. Tries until it is done. */
  takeOver: (run: ServerHost['run'], log: Logger) => void
  stop: () => void
}

/** Throws STATE_UNREADABLE when the file is there and is not of its form. */
export function openTokens(db: ReadDb, keysDir: string): FleetTokens {
  const file = join(keysDir, 'tokens.json')
  let waiting = readFile(file)
  let timer: NodeJS.Timeout | null = null
  let isStopped = false
  const callerOf = ({ name, role }: { name: string; role: Role }): Caller => ({ actor: `token:${name}`, role })

  const adopt = async (run: ServerHost['run'], log: Logger): Promise<void> => {
    try {
      const { taken } = await run(tokenAdopt, { tokens: waiting }, 'server:tokens')
      rmSync(file, { force: true })
      log.info('the tokens of the file are tokens of the fleet now', { taken })
    } catch (error) {
      if (isStopped) return
      log.warn('the tokens of the file are not known to the fleet yet', { file, reason: (error as Error).message })
      timer = setTimeout(() => void adopt(run, log), ADOPT_RETRY_MS)
      return
    }
    // This server may apply what was decided a moment later.
    while (!isStopped && waiting.some(({ hash }) => apiToken(db, hash) === null)) await new Promise((resolve) => setTimeout(resolve, 50))
    waiting = []
  }

  return {
    find: (token) => {
      const hash = hashOfToken(token)
      const row = apiToken(db, hash)
      if (row !== null) return row.ended_at === null ? callerOf(row) : null
      const kept = waiting.find((one) => one.hash === hash)
      return kept === undefined ? null : callerOf(kept)
    },
    takeOver: (run, log) => {
      if (waiting.length > 0) void adopt(run, log)
    },
    stop: () => {
      isStopped = true
      if (timer !== null) clearTimeout(timer)
    },
  }
}

function readFile(file: string): ApiToken[] {
  if (!existsSync(file)) return []
  let parsed: ReturnType<typeof fileSchema.safeParse>
  try {
    parsed = fileSchema.safeParse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (cause) {
    throw unreadable(file, cause)
  }
  if (!parsed.success) throw unreadable(file, parsed.error)
  // Names were free text once; a token goes on under one that can be an actor's.
  return parsed.data.map((one) => ({
    ...one,
    name: one.name
      .replace(/[^\w.@-]/g, '-')
      .replace(/^[^A-Za-z0-9]|^$/, 'x')
      .slice(0, 63),
  }))
}

const unreadable = (file: string, cause: unknown): MusterError =>
  new MusterError('STATE_UNREADABLE', `${file} is not a list of tokens`, {
    hint: 'Move it away to start without its tokens, and issue new ones.',
    cause,
  })

/** Carries `delos.token.issue` out, on the server that leads. The token is in the answer and nowhere else. */
export function createIssueAction({
  db,
  position,
  run,
}: Pick<ServerHost, 'db' | 'position' | 'run'>): NonNullable<Wiring['plannedActions']>[string] {
  return async (input, { actor }, { isPlan, apply }) => {
    const { name, role } = input as { name: string; role: Role }
    const plan = planOf(db, position(), name, role)
    if (isPlan) return { value: null, plan }
    if (apply !== undefined && apply.split('-')[1] !== plan.id.split('-')[1])
      throw new MusterError('PLAN_STALE', `what plan ${apply} says is not what is asked for; it would be ${plan.id}`)
    const token = `muster_${randomBytes(24).toString('base64url')}`
    const hash = hashOfToken(token)
    const { ended } = await run(tokenNote, { hash, name, role, scram: verifierOf(token) }, actor)
    return { value: { name, role, token, id: hash.slice(0, 8), ended }, plan: null }
  }
}

/** The token is made when the plan is applied, so its hash is no part of it. */
function planOf(db: ReadDb, position: number, name: string, role: Role) {
  const old = goodTokens(db).filter((token) => token.name === name)
  const body = { name, role }
  const id = createHash('sha256')
    .update(canonicalJson([body, old.map(({ hash }) => hash)]))
    .digest('hex')
    .slice(0, 16)
  return {
    id: `p${position}-${id}`,
    position,
    entries: [...old.map(({ hash }) => ({ type: 'delos.ApiTokenRevoked', body: { hash, name } })), { type: 'delos.ApiTokenIssued', body }],
    changes: [
      ...old.map((row) => ({ table: 'delos_api_token', op: 'update' as const, before: { ...row }, after: { ...row, ended_at: 'now' } })),
      { table: 'delos_api_token', op: 'insert' as const, before: null, after: body },
    ],
  }
}
