import { groupName } from './names.ts'
import type { Notes } from './notes.ts'

interface PortOf {
  /** what the program listens on */
  target: number
  published: number | null
  protocol: string
}

/** What a port may be written in; the texts are changed in place. */
export interface PortTexts {
  environment: Record<string, string>
  command: string[]
  /** the command of its check */
  check: string[]
}

/**
 * Ports of a service. There is no translation of ports under the exec driver: the program listens on the node itself. So
 * where a variable or the command names the port, it gets `{{port.NAME}}` and the node chooses a free one; else the
 * number is fixed. Every group with a port is a service of the mesh under its name.
 */
export function readPorts(
  name: string,
  service: Record<string, unknown>,
  texts: PortTexts,
  group: Record<string, unknown>,
  notes: Notes,
): void {
  const ports: Record<string, unknown> = {}
  const seen = new Map<number, string>()
  for (const [key, list] of [
    ['ports', service['ports']],
    ['expose', service['expose']],
  ] as const) {
    if (list === undefined) continue
    if (!Array.isArray(list)) {
      notes.add(`services.${name}.${key}`, 'unsupported', 'not a list')
      continue
    }
    list.forEach((item: unknown, i) => {
      const path = `services.${name}.${key}[${i}]`
      const port = parsePort(item)
      if (port === null) return notes.add(path, 'unsupported', `${JSON.stringify(item)} is not one port; ranges are not supported`)
      if (port.protocol !== 'tcp') return notes.add(path, 'unsupported', `only tcp is supported, not ${port.protocol}`)
      if (seen.has(port.target)) return notes.add(path, 'mapped', `network.ports.${seen.get(port.target)}`)
      const portName = seen.size === 0 ? 'http' : `p${port.target}`
      seen.set(port.target, portName)
      const where = nameIt(texts, port.target, `{{port.${portName}}}`)
      ports[portName] = where === null ? { static: port.target } : {}
      const listens =
        where === null
          ? `the program listens on ${port.target} of the node itself, so one task a machine`
          : `${where} gets a free port of the node`
      const published = port.published === null || port.published === port.target ? '' : `, ${port.published} is not opened`
      notes.add(path, 'changed', `${listens}${published}; others reach it as ${groupName(name)}.mesh`)
    })
  }
  const first = seen.values().next().value
  if (first === undefined) return
  group['network'] = { ports }
  group['services'] = { [groupName(name)]: { port: first } }
}

/** Puts `text` where the port's number was told to the program; says where that is, or null when nowhere. */
function nameIt(texts: PortTexts, port: number, text: string): string | null {
  const number = new RegExp(`(?<![\\w.])${port}(?![\\w.])`, 'g')
  const variables = Object.keys(texts.environment).filter((key) => texts.environment[key] === String(port))
  const isInCommand = texts.command.some((word) => word.search(number) >= 0)
  if (variables.length === 0 && !isInCommand) return null
  for (const key of variables) texts.environment[key] = text
  for (const words of [texts.command, texts.check]) words.forEach((word, i) => (words[i] = word.replaceAll(number, text)))
  return variables[0] ?? 'the command'
}

/** `80`, `8080:80`, `127.0.0.1:8080:80/tcp`, `{target: 80, published: "8080"}`; null for anything else. */
function parsePort(item: unknown): PortOf | null {
  if (typeof item === 'number') return { target: item, published: null, protocol: 'tcp' }
  if (item !== null && typeof item === 'object') {
    const { target, published, protocol } = item as Record<string, unknown>
    return Number.isInteger(Number(target))
      ? {
          target: Number(target),
          published: published === undefined ? null : Number(published),
          protocol: typeof protocol === 'string' ? protocol : 'tcp',
        }
      : null
  }
  const match = /^(?:(?:\[[0-9a-f:]+\]|[\d.]+):)?(?:(\d*):)?(\d+)(?:\/(\w+))?$/.exec(String(item))
  return match ? { target: Number(match[2]), published: match[1] ? Number(match[1]) : null, protocol: match[3] ?? 'tcp' } : null
}
