// Everything that can be said about the code without running it, one after another; fails if any of them does.
//   node scripts/check.js [NAME…]
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const bin = (name) => join(root, 'node_modules/.bin', name)

const CHECKS = [
  { name: 'types', argv: [bin('tsc'), '--noEmit', '-p', '.'], fix: 'correct the types' },
  // The browser's: another library, another jsx.
  { name: 'pages', argv: [bin('tsc'), '--noEmit', '-p', 'src/web'], fix: 'correct the types' },
  { name: 'lint', argv: [bin('oxlint'), '--quiet'], fix: 'npx oxlint --fix, or an exemption with its reason' },
  { name: 'format', argv: [bin('oxfmt'), '--check'], fix: 'npm run format' },
  { name: 'unused', argv: [bin('knip'), '--no-progress', '--no-config-hints'], fix: 'remove what nothing uses' },
  { name: 'generated', argv: [process.execPath, join(root, 'scripts/docs.js'), '--check'], fix: 'npm run docs' },
]

const wanted = process.argv.slice(2)
const failed = []
for (const check of CHECKS.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
  const startMs = Date.now()
  const [command, ...args] = check.argv
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 * 1024 * 1024,
  })
  const seconds = ((Date.now() - startMs) / 1000).toFixed(1)
  console.log(`${status === 0 ? '●' : '✖'} ${check.name.padEnd(10)} ${seconds} s`)
  if (status === 0) continue
  failed.push(check)
  console.log(`${stdout}${stderr}`.trim())
}
for (const { name, fix } of failed) console.log(`✖ ${name} failed: ${fix}`)
process.exitCode = failed.length > 0 ? 1 : 0
