import { assemble, type ComposeReader, type ComposeSource } from './assemble.ts'
import type { InterpolationProblem } from './interpolate.ts'
import { asMap, groupName } from './names.ts'
import { type KeyNote, Notes } from './notes.ts'
import { hasCommand, importService } from './service.ts'

export interface ComposeImport {
  /** job document; null when no service can run under the exec driver */
  document: Record<string, unknown> | null
  /** every key of the file and what became of it */
  keys: KeyNote[]
  /** required variables that are not set, and files and services that are not there */
  problems: InterpolationProblem[]
}

const TOP: Record<string, string> = {
  volumes: 'volumes are not supported yet',
  networks: 'services reach each other through the mesh by name; there are no networks of their own',
  configs: 'configs are not supported yet',
  secrets: 'secrets are not supported yet',
}

/**
 * A compose file, with those it names, → a job of one group per service, for the exec driver, and a word on every key. Pure: variables come
 * with the file, other files by `reader`.
 * @param name what the job is called when the file does not say
 * @param profiles that are on; a service of others only is left out
 */
export function importCompose(source: ComposeSource, reader: ComposeReader, name: string, profiles: readonly string[] = []): ComposeImport {
  const problems: InterpolationProblem[] = []
  const { env } = source
  const compose = assemble(source, reader, problems)
  const notes = new Notes()
  noteFiles(asMap(source.document), notes)
  const groups: Record<string, unknown> = {}
  const all = Object.entries(asMap(compose['services'])).map(([service, definition]) => [service, asMap(definition)] as const)
  const services = all.filter(([, definition]) => isOn(definition, profiles))
  const others = new Set(services.filter(([, definition]) => hasCommand(definition)).map(([service]) => service))
  for (const [service, definition] of services) {
    const group = importService(service, definition, env, others, notes)
    if (group !== null) groups[groupName(service)] = group
  }
  for (const [service, definition] of all.filter(([, it]) => !isOn(it, profiles)))
    notes.add(`services.${service}`, 'mapped', `left out: it wants --profile ${profilesOf(definition).join(' or ')}`)
  for (const key of Object.keys(compose)) {
    if (key === 'services') continue
    if (key === 'name') notes.add(key, 'mapped', 'job')
    else if (key === 'version') notes.add(key, 'mapped', 'means nothing any more')
    else if (key.startsWith('x-')) notes.add(key, 'mapped', 'an extension, used through anchors')
    else notes.add(key, 'unsupported', TOP[key] ?? 'not a key this import knows')
  }
  const job = groupName(typeof compose['name'] === 'string' ? compose['name'] : name)
  return { document: Object.keys(groups).length === 0 ? null : { job, kind: 'service', groups }, keys: notes.all, problems }
}

/** What the file takes from others is in the job; its keys are gone by then. */
function noteFiles(file: Record<string, unknown>, notes: Notes): void {
  if ('include' in file) notes.add('include', 'mapped', 'groups')
  for (const [name, service] of Object.entries(asMap(file['services']))) {
    if ('extends' in asMap(service)) notes.add(`services.${name}.extends`, 'mapped', 'laid over the service it names')
    if ('env_file' in asMap(service)) notes.add(`services.${name}.env_file`, 'mapped', 'main.env, as the files are now')
  }
}

const profilesOf = (service: Record<string, unknown>): string[] =>
  Array.isArray(service['profiles']) ? service['profiles'].map(String) : []

/** A service without profiles always is; `*` is every profile. */
function isOn(service: Record<string, unknown>, profiles: readonly string[]): boolean {
  const own = profilesOf(service)
  return own.length === 0 || profiles.includes('*') || own.some((profile) => profiles.includes(profile))
}
