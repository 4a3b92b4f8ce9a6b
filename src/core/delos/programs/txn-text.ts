import type { z } from 'zod'
import { isRefusal, refuse, type MusterError } from '../../kernel/errors.ts'
import type { kvTxn } from '../operations/kv.ts'

type Txn = z.input<typeof kvTxn.input>
type Compare = NonNullable<Txn['compare']>[number]
type Op = NonNullable<Txn['success']>[number]

const COMPARISON = /^(val|value|c|create|m|mod|ver|version|lease)\s*\((.*)\)\s*(!=|=|<|>)\s*(.*)$/
const TARGET: Record<string, Compare['target']> = {
  val: 'value',
  value: 'value',
  c: 'create',
  create: 'create',
  m: 'mod',
  mod: 'mod',
  ver: 'version',
  version: 'version',
  lease: 'lease',
}

/**
 * A transaction as `etcdctl txn` reads it: lines of comparisons, of requests if all of them hold, and of requests if not, each part
 * ended by an empty line. Words may stand in double quotes with escapes, in single quotes or bare. Of etcdctl's flags: `--lease` of put;
 * `--prefix`, `--rev`, `--limit`, `--keys-only`, `--count-only` of get; `--prefix` of del.
 */
export function parseTxn(text: string): Txn | MusterError {
  const parts: string[][] = [[], [], []]
  let part = 0
  for (const line of text.split(/\r?\n/).map((each) => each.trim())) {
    if (line === '') part += 1
    else if (part > 2) return refuse('USAGE', `the transaction has three parts, and then "${line}" follows`)
    else parts[part]?.push(line)
  }
  const [compare = [], success = [], failure = []] = parts
  const compares = all(compare.map(comparisonOf))
  if (isRefusal(compares)) return compares
  const then = all(success.map(requestOf))
  if (isRefusal(then)) return then
  const otherwise = all(failure.map(requestOf))
  return isRefusal(otherwise) ? otherwise : { compare: compares, success: then, failure: otherwise }
}

function all<T extends object>(parts: (T | MusterError)[]): T[] | MusterError {
  const refusal = parts.find((part) => isRefusal(part))
  return isRefusal(refusal) ? refusal : (parts as T[])
}

function comparisonOf(line: string): Compare | MusterError {
  const [, target = '', key = '', is = '', to = ''] = COMPARISON.exec(line) ?? []
  const words = [wordsOf(key), wordsOf(to)].map((found) => (found !== null && found.length === 1 ? found[0] : undefined))
  const [name, value] = words
  const what = TARGET[target]
  if (what === undefined || name === undefined || value === undefined)
    return refuse('USAGE', `"${line}" is no comparison such as mod("key") = "3"`, {
      hint: 'value, version, create, mod and lease are compared by =, !=, < and >.',
    })
  return { target: what, key: name, is: is as Compare['is'], to: value }
}

const FLAGS: Record<string, readonly string[]> = {
  put: ['lease'],
  get: ['prefix', 'rev', 'limit', 'keys-only', 'count-only'],
  del: ['prefix'],
}

function requestOf(line: string): Op | MusterError {
  const [verb = '', ...rest] = wordsOf(line) ?? []
  const known = FLAGS[verb]
  const flags = new Map<string, string>()
  const words: string[] = []
  for (const word of rest) {
    const [, flag, value] = /^--([a-z-]+)(?:=(.*))?$/s.exec(word) ?? []
    if (flag === undefined) words.push(word)
    else if (known?.includes(flag) === true) flags.set(flag, value ?? 'true')
    else return refuse('USAGE', `"${line}": --${flag} is not known in a transaction`)
  }
  const [key] = words
  const isWhole = words.length === (verb === 'put' ? 2 : 1)
  if (known === undefined || key === undefined || !isWhole)
    return refuse('USAGE', `"${line}" is none of: put KEY VALUE, get KEY, del KEY`, { hint: 'Several keys are meant by --prefix.' })
  if (verb === 'put') {
    const lease = flags.get('lease')
    return { do: 'put', key, value: words[1] ?? '', ...(lease === undefined ? {} : { lease }) }
  }
  const isPrefix = flags.get('prefix') === 'true'
  if (verb === 'del') return { do: 'del', key, isPrefix }
  const [revision, limit] = [flags.get('rev'), flags.get('limit')]
  return {
    do: 'get',
    key,
    isPrefix,
    isKeysOnly: flags.get('keys-only') === 'true',
    isCountOnly: flags.get('count-only') === 'true',
    ...(revision === undefined ? {} : { revision: Number(revision) }),
    ...(limit === undefined ? {} : { limit: Number(limit) }),
  }
}

const ESCAPES: Record<string, string> = { n: '\n', t: '\t', r: '\r' }

/** Words of a line; null when a quote is not closed. */
function wordsOf(line: string): string[] | null {
  const words: string[] = []
  let word = ''
  let isWord = false
  for (let i = 0; i < line.length; i += 1) {
    const char = line.charAt(i)
    if (char === ' ' || char === '\t') {
      if (isWord) words.push(word)
      word = ''
      isWord = false
      continue
    }
    isWord = true
    if (char === "'") {
      const end = line.indexOf("'", i + 1)
      if (end < 0) return null
      word += line.slice(i + 1, end)
      i = end
    } else if (char === '"') {
      for (i += 1; line.charAt(i) !== '"'; i += 1) {
        if (i >= line.length) return null
        if (line.charAt(i) !== '\\') word += line.charAt(i)
        else {
          i += 1
          word += ESCAPES[line.charAt(i)] ?? line.charAt(i)
        }
      }
    } else word += char
  }
  return isWord ? [...words, word] : words
}
