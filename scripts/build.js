// Builds dist/: one ES module per command, process and TUI, their common parts in shared chunks, and oclif's manifest.
//   node scripts/build.js [--if-stale]
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isStale, sourceStamp } from './stamp.js'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const dist = join(root, 'dist')
const lock = join(root, 'dist/.lock')

/** What `bin/muster.js` imports; completion stands alone, without oclif. */
const CLI = 'cli/bundle-main'
const COMPLETION = 'cli/complete-main'

/** Programs that are started by file name (src/platform/spawn.ts). */
const MAINS = [
  'server/main',
  'agent/main',
  'agent/mesh/proxy-main',
  'server/scuba/leaf-main',
  'server/scuba/engine-main',
  'server/scuba/leaf/listen/decode-main',
  'server/delos/store/materialiser-main',
  'server/delos/store/snapshot-main',
]

/** Pages of `src/web/pages/`; the server's list is in `src/server/web/assets.ts`. */
const PAGES = ['scuba', 'sql', 'boards', 'slo', 'alerts', 'trace', 'log', 'store']

/** Native modules load their binaries from beside themselves. */
const EXTERNAL = ['better-sqlite3', '@duckdb/node-api', '@duckdb/node-bindings']

/** How long chunks of earlier builds stay: programs that run may still import them. */
const OLD_CHUNKS_MS = 3_600_000
const LOCK_WAIT_MS = 60_000

/** Builds unless another process just did; two at once take turns. */
export async function buildOnce(onlyIfStale) {
  await takeLock()
  try {
    if (onlyIfStale && !isStale(root)) return
    await build()
  } finally {
    rmSync(lock, { recursive: true, force: true })
  }
}

async function build() {
  const startMs = Date.now()
  const stamp = sourceStamp(root)
  const packageJson = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const commands = listFiles(join(root, 'src/commands')).filter((file) => file.endsWith('.ts'))
  const program = { version: packageJson.version, ids: commandIds(commands) }
  const written = new Set([...(await bundle(commands, program)), ...(await bundlePages())])
  await writeManifest(packageJson)
  writeFileSync(join(dist, 'stamp'), stamp)
  removeOldChunks(written)
  console.error(`built ${written.size} files in ${((Date.now() - startMs) / 1000).toFixed(1)} s`)
}

/** Command line and processes apart: what they share would otherwise be cut into chunks too small to load fast. */
async function bundle(commands, program) {
  const { build: esbuild } = await import('esbuild')
  const common = {
    outbase: join(root, 'src'),
    outdir: dist,
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node22.13',
    jsx: 'automatic',
    external: EXTERNAL,
    minifyWhitespace: true,
    minifySyntax: true,
    // So that a stack trace shows a line and not the whole file.
    lineLimit: 300,
    legalComments: 'none',
    logLevel: 'warning',
    write: false,
    // CommonJS packages inside an ES module still ask for node's own modules by require.
    banner: { js: 'const require=process.getBuiltinModule("node:module").createRequire(import.meta.url);' },
    plugins: [builtins, stubs, namedImports],
  }
  const define = { 'process.env.NODE_ENV': '"production"', MUSTER_PROGRAM: JSON.stringify(JSON.stringify(program)) }
  const source = (name) => join(root, 'src', `${name}.ts`)
  const results = await Promise.all([
    esbuild({
      ...common,
      define,
      inject: [source('cli/hot')],
      entryPoints: [source(CLI), ...commands.map((file) => join(root, 'src/commands', file))],
    }),
    esbuild({ ...common, define, entryPoints: [source(COMPLETION)] }),
    esbuild({ ...common, define, entryPoints: MAINS.map(source) }),
  ])
  const written = new Set()
  for (const file of results.flatMap((result) => result.outputFiles)) {
    written.add(relative(dist, file.path))
    writeWhole(file.path, file.contents)
  }
  return written
}

/** The browser's pages, under names that say what is in them, and a list of these for the server (`src/server/web/assets.ts`). */
async function bundlePages() {
  const { build: esbuild } = await import('esbuild')
  const folder = join(root, 'src/web')
  const outdir = join(dist, 'web')
  const entries = { style: 'style.css', icon: 'icon.svg', ...Object.fromEntries(PAGES.map((page) => [page, `pages/${page}.tsx`])) }
  const { outputFiles, metafile } = await esbuild({
    entryPoints: Object.entries(entries).map(([out, file]) => ({ in: join(folder, file), out })),
    outdir,
    entryNames: '[name]-[hash]',
    chunkNames: 'chunk-[hash]',
    loader: { '.svg': 'copy' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    minify: true,
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
    absWorkingDir: root,
    write: false,
  })
  const made = new Map(Object.entries(metafile.outputs).map(([path, { entryPoint }]) => [entryPoint, relative(outdir, join(root, path))]))
  const nameOf = (file) => made.get(`src/web/${file}`)
  const manifest = {
    style: nameOf(entries.style),
    icon: nameOf(entries.icon),
    pages: Object.fromEntries(PAGES.map((page) => [page, nameOf(entries[page])])),
    files: outputFiles.map(({ path }) => relative(outdir, path)),
  }
  for (const { path, contents } of outputFiles) writeWhole(path, contents)
  writeWhole(join(outdir, 'manifest.json'), JSON.stringify(manifest))
  return [...manifest.files, 'manifest.json'].map((name) => join('web', name))
}

/**
 * What a command line never uses of its packages, and would load on each start: oclif's Config, help and error printer
 * (ours are in src/cli/), its debug log and its text wrapping.
 */
const STUBS = {
  'react-devtools-core': 'exports.default = { initialize() {}, connectToDevTools() {} }',
}
const THEME = 'exports.colorize = (_, text) => text; exports.parseTheme = (theme) => theme'
const OCLIF_STUBS = {
  './config': 'exports.Config = class {}',
  './help': 'exports.Help = class {}; exports.loadHelpClass = async () => exports.Help',
  './handle': 'exports.Exit = {}; exports.handle = () => {}',
  './theme': THEME,
  '../ux/theme': THEME,
  '../../ux/theme': THEME,
  './colorize-json': 'exports.default = JSON.stringify',
  './action/simple': 'exports.default = class {}',
  './action/spinner': 'exports.default = class {}',
  debug: 'exports.default = () => Object.assign(() => {}, { enabled: false, extend: exports.default })',
  ejs: 'exports.default = { render: (text) => text }',
  'clean-stack': 'exports.default = (text) => text',
  'indent-string': 'exports.default = (text) => text',
  'wrap-ansi': 'exports.default = (text) => text',
}
const stubs = {
  name: 'stubs',
  setup(build) {
    build.onResolve({ filter: /^\.?\.?[\w/@-]+$/ }, ({ path, importer }) => {
      const isOclif = importer.includes('/@oclif/core/')
      if (path in STUBS || (isOclif && path in OCLIF_STUBS)) return { path, namespace: 'stub' }
      return undefined
    })
    build.onLoad({ filter: /.*/, namespace: 'stub' }, ({ path }) => ({
      contents: `exports.__esModule = true; ${STUBS[path] ?? OCLIF_STUBS[path]}`,
      loader: 'js',
    }))
  },
}

/**
 * Node's own modules without the facade that an ES import makes for them: it reads every export, and reading some of
 * them loads more (`fs.ReadStream` the streams, 5 ms; `http.WebSocket` undici, 27 ms).
 */
const builtins = {
  name: 'builtins',
  setup(build) {
    build.onResolve({ filter: /^(node:)?[a-z_/0-9]+$/ }, ({ path, kind }) =>
      isBuiltin(path) && kind !== 'dynamic-import' && kind !== 'require-call'
        ? { path: path.replace('node:', ''), namespace: 'builtin', sideEffects: false }
        : undefined,
    )
    build.onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)})`,
      loader: 'js',
    }))
  },
}

/**
 * `const { stringify } = await import('yaml')` works in Node, which reads the names out of a CommonJS package; in a split
 * bundle only `default` would be there. So such an import gets a module between that names them.
 */
const namedImports = {
  name: 'named-imports',
  setup(build) {
    build.onResolve({ filter: /^[^./]/ }, async ({ path, kind, resolveDir, importer, pluginData }) => {
      if (kind !== 'dynamic-import' || pluginData === 'seen' || path.startsWith('node:') || EXTERNAL.includes(path)) return undefined
      const found = await build.resolve(path, { kind: 'import-statement', resolveDir, importer, pluginData: 'seen' })
      if (found.external || found.namespace !== 'file' || !isCommonJs(found.path)) return undefined
      return { path: found.path, namespace: 'named', pluginData: { resolveDir } }
    })
    build.onLoad({ filter: /.*/, namespace: 'named' }, ({ path, pluginData }) => {
      if (path.includes('x509')) createRequire(import.meta.url)('reflect-metadata')
      const names = Object.keys(createRequire(import.meta.url)(path)).filter(
        (name) => name !== 'default' && /^[A-Za-z_$][\w$]*$/.test(name),
      )
      // Renamed on the way: a package may export a reserved word.
      const contents = `const all = require(${JSON.stringify(path)}); export default all
        const { ${names.map((name, i) => `${name}: _${i}`).join(', ')} } = all
        export { ${names.map((name, i) => `_${i} as ${name}`).join(', ')} }`
      return { contents, loader: 'js', resolveDir: pluginData.resolveDir }
    })
  },
}

function isCommonJs(path) {
  if (path.endsWith('.cjs')) return true
  if (path.endsWith('.mjs')) return false
  let folder = dirname(path)
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).type !== 'module'
}

/** What help and completion read instead of loading every command: summaries, flags, arguments, examples. */
async function writeManifest(packageJson) {
  const { Plugin } = await import('@oclif/core')
  const plugin = new Plugin({
    root: dist,
    type: 'core',
    isRoot: true,
    ignoreManifest: true,
    pjson: slim(packageJson),
    errorOnManifestCreate: true,
  })
  await plugin.load()
  writeWhole(join(dist, 'oclif.manifest.json'), JSON.stringify(plugin.manifest))
  writeWhole(join(dist, 'completion.json'), JSON.stringify(completionTable(plugin.manifest.commands)))
}

/** The part of the manifest that src/cli/complete.ts reads on each TAB. */
function completionTable(commands) {
  const shown = Object.values(commands).filter((command) => !command.hidden)
  return Object.fromEntries(shown.map((command) => [command.id, completionEntry(command)]))
}

function completionEntry({ summary = '', flags, args }) {
  const visible = (items) => Object.values(items).filter((item) => !item.hidden)
  return {
    summary,
    flags: visible(flags).map(({ name, char, type, options, description = '' }) => ({
      name,
      char,
      takesValue: type === 'option',
      options,
      description,
    })),
    args: visible(args).map(({ name, options }) => ({ name, options })),
  }
}

/** What of package.json oclif needs to find the commands, which are below dist/. */
function slim(packageJson) {
  const { name, version, type, oclif } = packageJson
  return { name, version, type, dependencies: {}, oclif: { ...oclif, commands: { ...oclif.commands, target: './commands' } } }
}

/** @param {string[]} files below src/commands */
function commandIds(files) {
  return files
    .map((file) =>
      file
        .replace(/\.ts$/, '')
        .replaceAll('/', ':')
        .replace(/(^|:)index$/, ''),
    )
    .filter((id) => id !== '')
    .sort()
}

function listFiles(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((item) => item.isFile())
    .map((item) => relative(folder, join(item.parentPath, item.name)))
}

/** A reader sees the old file or the new one; an unchanged file keeps its place in the compile cache. */
function writeWhole(path, contents) {
  const bytes = Buffer.from(contents)
  if (existsSync(path) && readFileSync(path).equals(bytes)) return
  mkdirSync(dirname(path), { recursive: true })
  const temporary = `${path}.${process.pid}.tmp`
  writeFileSync(temporary, bytes)
  renameSync(temporary, path)
}

/** Entries of commands that no longer exist go at once, and pages, which a server has in memory; chunks after an hour. */
function removeOldChunks(written) {
  for (const file of listFiles(dist)) {
    if (!(file.endsWith('.js') || file.startsWith('web/')) || written.has(file)) continue
    const path = join(dist, file)
    if (!file.startsWith('chunks/') || Date.now() - statSync(path).mtimeMs > OLD_CHUNKS_MS) unlinkSync(path)
  }
}

async function takeLock() {
  mkdirSync(dist, { recursive: true })
  const endMs = Date.now() + LOCK_WAIT_MS
  for (;;) {
    try {
      mkdirSync(lock)
      writeFileSync(join(lock, 'pid'), String(process.pid))
      return
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    if (isAbandoned()) rmSync(lock, { recursive: true, force: true })
    else if (Date.now() > endMs) throw new Error(`another build holds ${lock}; remove it if none runs`)
    else await new Promise((done) => setTimeout(done, 100))
  }
}

function isAbandoned() {
  try {
    const pid = Number(readFileSync(join(lock, 'pid'), 'utf8'))
    if (pid === 0) return false
    process.kill(pid, 0)
    return false
  } catch (error) {
    // Between mkdir and the pid the lock is young; EPERM is somebody else's living process.
    if (error.code === 'ENOENT') return Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) > 5000
    return error.code === 'ESRCH'
  }
}

if (import.meta.main ?? process.argv[1] === fileURLToPath(import.meta.url)) {
  const isWanted = !process.argv.includes('--if-stale') || isStale(root)
  if (isWanted) await buildOnce(process.argv.includes('--if-stale'))
}
