import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { expect, test } from 'vitest'

/** What the linter cannot say. Each finding names the replacement. */

const root = join(import.meta.dirname, '..')
const src = join(root, 'src')
const files = readdirSync(src, { recursive: true, withFileTypes: true })
  .filter((item) => item.isFile() && /\.tsx?$/.test(item.name))
  .map((item) => relative(root, join(item.parentPath, item.name)))

const textOf = (file: string): string => readFileSync(join(root, file), 'utf8')

/** The code without comments and texts, line by line. */
const codeOf = (file: string): string[] =>
  textOf(file)
    .replaceAll(/\/\*[\s\S]*?\*\//g, (comment) => comment.replaceAll(/[^\n]/g, ' '))
    .split('\n')
    .map((line) => line.replace(/(^|\s)\/\/.*$/, '').replaceAll(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`/g, '``'))

interface Import {
  file: string
  /** as written, or the path below the root for a relative one */
  target: string
  isType: boolean
  isLazy: boolean
}

const imports: Import[] = files.flatMap((file) => {
  const text = textOf(file)
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/^\s*\/\/.*$/gm, '')
  const found = [
    ...text.matchAll(/(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:[^'"`;]*?\sfrom\s+)?['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)/g),
  ]
  return found.map((match) => {
    const written = match[2] ?? match[3] ?? ''
    return {
      file,
      target: written.startsWith('.') ? normalize(join(dirname(file), written)) : written,
      isType: match[1] !== undefined,
      isLazy: match[3] !== undefined,
    }
  })
})

/** What each system may use of the others. delos knows nobody; nobody needs to list kernel and contracts. */
const MAY_USE: Record<string, string[]> = {
  delos: [],
  tw: ['delos'],
  scuba: ['delos'],
  sev: ['delos', 'scuba'],
  deploy: ['delos', 'tw', 'scuba', 'sev'],
  chaos: ['delos', 'tw', 'scuba', 'sev', 'deploy'],
}

const systemOf = (path: string): string | null => {
  const name = /^src\/core\/([^/]+)\//.exec(path)?.[1]
  return name !== undefined && name in MAY_USE ? name : null
}

test('core has no async code', () => {
  const banned = files
    .filter((file) => file.startsWith('src/core/'))
    .flatMap((file) =>
      codeOf(file).flatMap((line, i) =>
        /\b(async|await)\b|\bPromise\b(?!<)|\.then\(/.test(line) && !file.includes('/contracts/')
          ? [`${file}:${i + 1}: core is synchronous; return a value, or describe an effect: ${line.trim()}`]
          : [],
      ),
    )
  expect(banned).toEqual([])
})

test('core imports nothing but itself and zod', () => {
  const wrong = imports
    .filter(({ file, target }) => file.startsWith('src/core/') && !/^zod(\/|$)/.test(target) && !target.startsWith('src/core/'))
    .map(({ file, target }) => `${file} imports ${target}`)
  expect(wrong).toEqual([])
})

test('the kernel and the contracts know no system', () => {
  const wrong = imports
    .filter(({ file, target }) => /^src\/core\/(kernel|contracts)\//.test(file) && systemOf(target) !== null)
    .map(({ file, target }) => `${file} imports ${target}`)
  expect(wrong).toEqual([])
})

test('systems meet only through operations.ts and queries.ts, and only in the allowed direction', () => {
  const wrong = imports.flatMap(({ file, target }) => {
    const [from, to] = [systemOf(file), systemOf(target)]
    if (from === null || to === null || from === to) return []
    if (!MAY_USE[from]?.includes(to)) return [`${file}: ${from} must not know ${to}; let the server put it into the soft view`]
    return /\/(operations|queries)\.ts$/.test(target)
      ? []
      : [`${file}: import ${to} through its operations.ts or queries.ts, not ${target}`]
  })
  expect(wrong).toEqual([])
})

test('only src/tui imports ink and react', () => {
  const wrong = imports
    .filter(({ file, target }) => /^(ink|react)(\/|$)/.test(target) && !file.startsWith('src/tui/'))
    .map(({ file, target }) => `${file} imports ${target}; move it to src/tui/`)
  expect(wrong).toEqual([])
})

test('screens are imported lazily, inside run()', () => {
  const wrong = imports
    .filter(({ file, target, isType, isLazy }) => target.startsWith('src/tui/') && !file.startsWith('src/tui/') && !isType && !isLazy)
    .map(({ file, target }) => `${file} imports ${target}: use await import() inside run()`)
  expect(wrong).toEqual([])
})

test('the server and the agents know neither commands nor screens', () => {
  const wrong = imports
    .filter(({ file, target, isType }) => /^src\/(server|agent)\//.test(file) && /^src\/(commands|tui|cli)\//.test(target) && !isType)
    .map(({ file, target }) => `${file} imports ${target}; what both need belongs in core`)
  expect(wrong).toEqual([])
})

test('src/platform knows only the kernel: every process may use it', () => {
  const wrong = imports
    .filter(
      ({ file, target }) =>
        file.startsWith('src/platform/') && target.startsWith('src/') && !/^src\/(platform|core\/kernel)\//.test(target),
    )
    .map(({ file, target }) => `${file} imports ${target}; pass it in`)
  expect(wrong).toEqual([])
})

test('src/client knows only core and platform: it is what other programs import', () => {
  const wrong = imports
    .filter(({ file, target }) => file.startsWith('src/client/') && !/^(node:|src\/(client|core|platform)\/)/.test(target))
    .map(({ file, target }) => `${file} imports ${target}; pass it in`)
  expect(wrong).toEqual([])
})

test('the server and the agents do not call themselves by src/client', () => {
  const wrong = imports
    // The log in an etcd is somebody else's store: there the server is a client like any other.
    .filter(({ file }) => !file.startsWith('src/server/delos/etcd-loglet/'))
    .filter(({ file, target }) => /^src\/(server|agent|core|platform)\//.test(file) && target.startsWith('src/client/'))
    .map(({ file, target }) => `${file} imports ${target}; what both need belongs in core`)
  expect(wrong).toEqual([])
})

test('agents know nothing of the server but what core and platform say', () => {
  const wrong = imports
    .filter(({ file, target }) => file.startsWith('src/agent/') && target.startsWith('src/server/'))
    .map(({ file, target }) => `${file} imports ${target}; what both need belongs in src/platform or core`)
  expect(wrong).toEqual([])
})

test('command files are .ts: oclif does not find .tsx', () => {
  expect(files.filter((file) => file.startsWith('src/commands/') && !file.endsWith('.ts'))).toEqual([])
})

test('files are named in kebab-case', () => {
  expect(files.filter((file) => !/^([a-z0-9-]+\/)*[a-z0-9-]+(\.d)?\.tsx?$/.test(file))).toEqual([])
})

test('an exemption from the linter carries its reason', () => {
  const wrong = files.flatMap((file) =>
    textOf(file)
      .split('\n')
      .flatMap((line, i) => (/(ox|es)lint-disable/.test(line) && !/-- \S/.test(line) ? [`${file}:${i + 1}: add "-- reason"`] : [])),
  )
  expect(wrong).toEqual([])
})

test('the ban finds what it bans', () => {
  // A check that cannot fail is a defect: the same expressions on lines that break the rules.
  expect(/\b(async|await)\b|\bPromise\b(?!<)|\.then\(/.test('  const x = await y')).toBe(true)
  expect(imports.some(({ file, target }) => file === 'src/server/api/api.ts' && target === 'fastify')).toBe(true)
  expect(imports.some(({ file, target, isLazy }) => file === 'src/cli/command.ts' && target === 'src/cli/offline.ts' && isLazy)).toBe(true)
})
