import { type InterpolationProblem, interpolate } from './interpolate.ts'
import { asMap, groupName } from './names.ts'
import { type KeyNote, Notes } from './notes.ts'
import { importService } from './service.ts'

export interface ComposeImport {
  /** job document; null when no service can run under the exec driver */
  document: Record<string, unknown> | null
  /** every key of the file and what became of it */
  keys: KeyNote[]
  /** required variables that are not set */
  problems: InterpolationProblem[]
}

const TOP: Record<string, string> = {
  volumes: 'volumes are not supported yet',
  networks: 'services reach each other through the mesh by name; there are no networks of their own',
  configs: 'configs are not supported yet',
  secrets: 'secrets are not supported yet',
  include: 'include is not supported yet: merge the files first, e.g. with `docker compose config`',
}

/**
 * A compose file → a job of one group per service, for the exec driver, and a word on every key. Pure: variables come
 * from `env`.
 * @param name what the job is called when the file does not say
 */
export function importCompose(file: unknown, env: Readonly<Record<string, string | undefined>>, name: string): ComposeImport {
  const problems: InterpolationProblem[] = []
  const compose = asMap(interpolate(file, env, problems))
  const notes = new Notes()
  const groups: Record<string, unknown> = {}
  const services = asMap(compose['services'])
  for (const [service, definition] of Object.entries(services)) {
    const group = importService(service, asMap(definition), env, notes)
    if (group !== null) groups[groupName(service)] = group
  }
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
