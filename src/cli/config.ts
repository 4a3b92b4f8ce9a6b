import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { MusterError } from '../core/kernel/errors.ts'
import { INTAKE_PORTS, type IntakePort } from '../core/scuba/ports.ts'

/** A value and where it came from, for `muster config show --origin`. */
export interface Setting<T> {
  value: T
  /** `flag --context`, `MUSTER_CONTEXT`, a file's path, or `default` */
  origin: string
}

export interface CliConfig extends Record<IntakePort, Setting<string | null>> {
  context: Setting<string>
  /** `http://host:port` of a remote server; null: the local one, over its Unix socket */
  address: Setting<string | null>
  /** bearer token for a remote server */
  token: Setting<string | null>
  /** the state directory of a local context; null: the standard place */
  stateDir: Setting<string | null>
  /** a protected context asks for the name also where danger is only medium */
  isProtected: Setting<boolean>
  /** pages of metrics that `muster up` has read, `JOB=URL` */
  scrape: Setting<readonly string[]>
  output: Setting<string>
  color: Setting<'auto' | 'never'>
  /** files that were read, nearest first */
  files: string[]
}

interface FileLayer {
  path: string
  body: Record<string, unknown>
}

const TOP_KEYS = new Set(['context', 'output', 'color', 'contexts'])
const CONTEXT_KEYS = new Set(['address', 'token', 'token_file', 'state_dir', 'protected', 'scrape', ...INTAKE_PORTS])

/**
 * Settings in order of precedence: flag > MUSTER_* > ./muster.toml > $XDG_CONFIG_HOME/muster/config.toml > default.
 * Throws USAGE on a file that is not valid.
 */
export async function loadConfig(
  flags: { context?: string | undefined; output?: string | undefined },
  env = process.env,
  cwd = process.cwd(),
): Promise<CliConfig> {
  const layers = await readLayers([join(cwd, 'muster.toml'), userConfigPath(env)])
  const context = first<string>('default', [
    flagSetting('--context', flags.context),
    envSetting(env, 'MUSTER_CONTEXT'),
    ...fromFiles(layers, ['context'], asText),
  ])
  const inContext = <T>(key: string, check: Check<T>): (Setting<T> | null)[] => fromFiles(layers, ['contexts', context.value, key], check)
  const tokenFile = first<string | null>(null, inContext('token_file', asText))
  return {
    context,
    address: first<string | null>(null, [envSetting(env, 'MUSTER_ADDRESS'), ...inContext('address', asText)]),
    token: first<string | null>(null, [envSetting(env, 'MUSTER_TOKEN'), ...inContext('token', asText), readToken(tokenFile)]),
    stateDir: first<string | null>(null, [envSetting(env, 'MUSTER_STATE_DIR'), ...inContext('state_dir', asPath)]),
    isProtected: first<boolean>(false, inContext('protected', asBoolean)),
    ...intakePorts((name) => first<string | null>(null, inContext(name, asText))),
    scrape: first<readonly string[]>([], inContext('scrape', asTexts)),
    output: first<string>('table', [
      flagSetting('--output', flags.output),
      envSetting(env, 'MUSTER_OUTPUT'),
      ...fromFiles(layers, ['output'], asText),
    ]),
    color: first<'auto' | 'never'>('auto', fromFiles(layers, ['color'], asColor)),
    files: layers.map((layer) => layer.path),
  }
}

const intakePorts = (setting: (name: IntakePort) => Setting<string | null>): Record<IntakePort, Setting<string | null>> =>
  Object.fromEntries(INTAKE_PORTS.map((name) => [name, setting(name)])) as Record<IntakePort, Setting<string | null>>

export function userConfigPath(env: NodeJS.ProcessEnv = process.env): string {
  return join(env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config'), 'muster', 'config.toml')
}

type Check<T> = (value: unknown, where: string, file: string) => T

const asText: Check<string> = (value, where, file) => {
  if (typeof value !== 'string') throw invalid(file, `${where} must be a text`)
  return value
}
const asPath: Check<string> = (value, where, file) => resolve(dirname(file), asText(value, where, file))
const asTexts: Check<string[]> = (value, where, file) => {
  if (!Array.isArray(value)) throw invalid(file, `${where} must be a list of texts`)
  return value.map((one) => asText(one, where, file))
}
const asBoolean: Check<boolean> = (value, where, file) => {
  if (typeof value !== 'boolean') throw invalid(file, `${where} must be true or false`)
  return value
}
const asColor: Check<'auto' | 'never'> = (value, where, file) => {
  if (value !== 'auto' && value !== 'never') throw invalid(file, `${where} must be "auto" or "never"`)
  return value
}

function first<T>(fallback: T, candidates: readonly (Setting<T & {}> | Setting<T> | null)[]): Setting<T> {
  return candidates.find((candidate) => candidate !== null) ?? { value: fallback, origin: 'default' }
}

function flagSetting(name: string, value: string | undefined): Setting<string> | null {
  return value === undefined ? null : { value, origin: `flag ${name}` }
}

function envSetting(env: NodeJS.ProcessEnv, name: string): Setting<string> | null {
  const value = env[name]
  return value ? { value, origin: name } : null
}

function fromFiles<T>(layers: readonly FileLayer[], path: readonly string[], check: Check<T>): (Setting<T> | null)[] {
  return layers.map((layer) => {
    const value = path.reduce<unknown>(
      (at, key) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[key] : undefined),
      layer.body,
    )
    return value === undefined ? null : { value: check(value, path.join('.'), layer.path), origin: layer.path }
  })
}

function readToken(file: Setting<string | null>): Setting<string> | null {
  if (file.value === null) return null
  const path = resolve(dirname(file.origin), file.value)
  try {
    return { value: readFileSync(path, 'utf8').trim(), origin: path }
  } catch (cause) {
    throw new MusterError('FILE_UNREADABLE', `the token file ${path} cannot be read`, { cause })
  }
}

async function readLayers(paths: readonly string[]): Promise<FileLayer[]> {
  const layers: FileLayer[] = []
  for (const path of paths) {
    if (!existsSync(path)) continue
    // Parsed only when there is a file: most starts need no TOML parser.
    const { parse } = await import('smol-toml')
    let body: Record<string, unknown>
    try {
      body = parse(readFileSync(path, 'utf8'))
    } catch (cause) {
      throw new MusterError('USAGE', `${path}: ${(cause as Error).message}`, { hint: 'Correct the file, or move it away.', cause })
    }
    checkKeys(path, body)
    layers.push({ path, body })
  }
  return layers
}

function checkKeys(file: string, body: Record<string, unknown>): void {
  for (const key of Object.keys(body)) if (!TOP_KEYS.has(key)) throw invalid(file, `unknown key "${key}"`)
  const contexts = body['contexts'] ?? {}
  if (typeof contexts !== 'object') throw invalid(file, 'contexts must be a table')
  for (const [name, context] of Object.entries(contexts as Record<string, unknown>)) {
    if (typeof context !== 'object' || context === null) throw invalid(file, `contexts.${name} must be a table`)
    for (const key of Object.keys(context)) if (!CONTEXT_KEYS.has(key)) throw invalid(file, `unknown key "contexts.${name}.${key}"`)
  }
}

function invalid(file: string, what: string): MusterError {
  return new MusterError('USAGE', `${file}: ${what}`, { hint: 'See `muster help config` for the keys.' })
}
