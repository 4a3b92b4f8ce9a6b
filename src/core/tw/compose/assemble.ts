import { parseEnvFile } from './env-file.ts'
import { interpolate, type InterpolationProblem } from './interpolate.ts'
import { extendProblem, listOf, mergeServices, pairsOf } from './merge.ts'
import { asMap } from './names.ts'

/** A compose file, and the variables it is read with. */
export interface ComposeSource {
  path: string
  document: unknown
  env: Readonly<Record<string, string | undefined>>
}

/** How other files are reached; paths are as the file `from` names them. A text: why there is none. */
export interface ComposeReader {
  /** @param envFiles whose variables hold besides those that are set; none: the `.env` beside the file */
  compose: (path: string, from: string, envFiles: readonly string[]) => ComposeSource | { problem: string }
  text: (path: string, from: string) => string | null
}

/** A service with the file that its own paths are relative to, one for each of its files of variables. */
interface Resolved {
  service: Record<string, unknown>
  envFiles: { path: string; from: string; isRequired: boolean }[]
}

/**
 * One document of a compose file and all that it names: variables are put in, `include` brings services, `extends` lays them over others, and
 * files of variables stand under `environment`. As docker-compose 1.29 does; `include`, which it does not know, as later ones do.
 */
export function assemble(main: ComposeSource, reader: ComposeReader, problems: InterpolationProblem[]): Record<string, unknown> {
  return new Assembly(reader, problems).whole(main, [])
}

class Assembly {
  readonly #reader: ComposeReader
  readonly #problems: InterpolationProblem[]
  readonly #documents = new Map<string, Record<string, unknown>>()

  constructor(reader: ComposeReader, problems: InterpolationProblem[]) {
    this.#reader = reader
    this.#problems = problems
  }

  whole(source: ComposeSource, trail: readonly string[]): Record<string, unknown> {
    const { include, ...document } = this.#read(source)
    const services: Record<string, unknown> = {}
    for (const name of Object.keys(asMap(document['services']))) services[name] = this.#finished(source, name)
    listOf(include).forEach((item, i) => {
      const at = `include[${i}]`
      for (const path of listOf(typeof item === 'string' ? item : asMap(item)['path']).map(String)) {
        const envFiles = listOf(asMap(item)['env_file']).map(String)
        const other = this.#reader.compose(path, source.path, envFiles)
        if ('problem' in other) this.#say(at, other.problem)
        else if ([...trail, source.path].includes(other.path)) this.#say(at, `${path} includes the file that includes it`)
        else {
          for (const [name, service] of Object.entries(asMap(this.whole(other, [...trail, source.path])['services'])))
            if (name in services) this.#say(at, `the service ${name} of ${path} is there already`)
            else services[name] = service
        }
      }
    })
    return { ...document, services }
  }

  #read(source: ComposeSource): Record<string, unknown> {
    const known = this.#documents.get(source.path)
    if (known !== undefined) return known
    const document = asMap(interpolate(source.document, source.env, this.#problems))
    this.#documents.set(source.path, document)
    return document
  }

  #finished(source: ComposeSource, name: string): Record<string, unknown> {
    const { service, envFiles } = this.#resolved(source, name, [])
    if (envFiles.length === 0) return service
    const read = envFiles.flatMap(({ path, from, isRequired }) => {
      const text = this.#reader.text(path, from)
      if (text === null && isRequired) this.#say(`services.${name}.env_file`, `${path}: there is no such file`)
      return text === null ? [] : [parseEnvFile(text, source.env)]
    })
    return { ...service, environment: Object.assign({}, ...read, pairsOf(service['environment'])) as unknown }
  }

  #resolved(source: ComposeSource, name: string, trail: readonly string[]): Resolved {
    const { extends: extended, env_file: files, ...own } = asMap(asMap(this.#read(source)['services'])[name])
    const envFiles = listOf(files).map((item) => ({
      path: String(typeof item === 'string' ? item : asMap(item)['path']),
      from: source.path,
      isRequired: asMap(item)['required'] !== false,
    }))
    if (extended === undefined) return { service: own, envFiles }
    const at = `services.${name}.extends`
    const self = `${source.path}#${name}`
    const base = typeof extended === 'string' ? { service: extended } : asMap(extended)
    const found = base['file'] === undefined ? source : this.#reader.compose(String(base['file']), source.path, [])
    // It is read with the variables of whoever extends it.
    const other = 'problem' in found ? found : { ...found, env: source.env }
    const problem =
      'problem' in other
        ? other.problem
        : [...trail, self].includes(`${other.path}#${String(base['service'])}`)
          ? 'it extends itself, by way of others'
          : asMap(this.#read(other)['services'])[String(base['service'])] === undefined
            ? `there is no service ${String(base['service'])} in ${other.path}`
            : null
    if (problem !== null || 'problem' in other) {
      this.#say(at, problem ?? '')
      return { service: own, envFiles }
    }
    const below = this.#resolved(other, String(base['service']), [...trail, self])
    const forbidden = extendProblem(below.service)
    if (forbidden !== null) this.#say(at, forbidden)
    return { service: mergeServices(below.service, own), envFiles: [...below.envFiles, ...envFiles] }
  }

  #say(path: string, message: string): void {
    this.#problems.push({ path, message })
  }
}
