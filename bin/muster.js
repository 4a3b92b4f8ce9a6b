#!/usr/bin/env node
// Starts muster. Plain JavaScript that Node 20 can read: a machine may have that one, and must be told in a sentence.
import module from 'node:module'

// By require: an ES import of node's modules reads every export of them, which costs milliseconds on each start.
const require = module.createRequire(import.meta.url)
const { existsSync, readFileSync } = require('node:fs')
const { dirname, join } = require('node:path')

const file = require('node:url').fileURLToPath(import.meta.url)
const root = dirname(dirname(file))
const argv = process.argv.slice(2)
const isCheckout = existsSync(join(root, 'src/cli/main.ts'))

if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-v')) printVersion()
else if (!isNodeNewEnough(process.versions.node)) runWithOwnNode()
else void start()

function printVersion() {
  process.stdout.on('error', () => {})
  process.stdout.write(`muster ${JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version}\n`)
}

async function start() {
  const isCompletion = argv[0] === '__complete'
  // A shell waits at the prompt: an old answer is better than a build.
  if (isCheckout && !(isCompletion && existsSync(join(root, 'dist/cli/complete-main.js'))) && !(await prepare())) return
  // Through the default import: as a named one it would be a syntax error on Node 20. Enabled here, in the stub, because
  // the bundle then starts 20 ms sooner than when it enables the cache itself.
  if (!process.env.NODE_COMPILE_CACHE) module.enableCompileCache?.(cacheFolder())
  if (isCompletion) return import(bundled('cli/complete-main.js')).then((complete) => complete.run(argv.slice(1)))
  const { run } = await import(bundled('cli/bundle-main.js'))
  await run(argv)
}

function bundled(name) {
  return new URL(`../dist/${name}`, import.meta.url).href
}

function cacheFolder() {
  const home = process.env.XDG_CACHE_HOME || (process.env.HOME ? join(process.env.HOME, '.cache') : undefined)
  return home === undefined ? undefined : join(home, 'muster')
}

/** In a checkout: a bundle that is missing or older than the sources is built first. False: it could not be. */
async function prepare() {
  const { isStale } = await import('../scripts/stamp.js')
  if (!isStale(root)) return true
  try {
    const { buildOnce } = await import('../scripts/build.js')
    await buildOnce(true)
    return true
  } catch (error) {
    if (error.code === 'EACCES' || error.code === 'EROFS') {
      // Somebody else's checkout: the sources run as they are, only slower to start.
      await import('./dev.js')
      return false
    }
    process.stderr.write(`✖ muster could not be built: ${error.message}\n  Run \`npm ci\`, then \`npm run build\` to see why.\n`)
    process.exitCode = 1
    return false
  }
}

function isNodeNewEnough(version) {
  const [major, minor] = version.split('.').map(Number)
  return major > 22 || (major === 22 && minor >= 13)
}

/** A checkout brings a Node of its own with `npm ci`; elsewhere a newer one has to be installed. */
function runWithOwnNode() {
  const node = join(root, 'node_modules/node/bin/node')
  if (!existsSync(node)) {
    process.stderr.write(
      `muster needs Node 22.13 or newer, and this is ${process.version}: install a newer Node${isCheckout ? ', or run `npm ci` here, which brings one' : ''}.\n`,
    )
    process.exitCode = 1
    return
  }
  void import('node:child_process').then(({ spawn }) => {
    const child = spawn(node, [file, ...argv], { stdio: 'inherit' })
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
      process.on(signal, () => {
        // A terminal's Ctrl-C reaches the child by itself; twice would mean "at once".
        if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
      })
    }
    child.on('error', (error) => {
      process.stderr.write(`✖ ${node} does not run: ${error.message}\n`)
      process.exitCode = 1
    })
    child.on('close', (code, signal) => {
      process.exitCode = code ?? 128 + ({ SIGINT: 2, SIGTERM: 15, SIGHUP: 1, SIGKILL: 9 }[signal] ?? 1)
    })
  })
}
