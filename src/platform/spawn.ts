import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Programs muster starts as processes (the materialiser: a thread) of their own; each is `src/<name>.ts` and, bundled, `dist/<name>.js`. */
export type MainName =
  | 'server/main'
  | 'agent/main'
  | 'agent/mesh/proxy-main'
  | 'server/scuba/leaf-main'
  | 'server/scuba/engine-main'
  | 'server/scuba/leaf/listen/decode-main'
  | 'server/delos/store/materialiser-main'
  | 'server/delos/store/snapshot-main'

/**
 * The argv that runs one of muster's own programs: `[node, file]`, to which the caller adds arguments. From the sources
 * this is the `.ts` file, which Node runs as it is; from the bundle the `.js` file beside the running one.
 */
export function entryPoint(name: MainName): [command: string, file: string] {
  return [process.execPath, join(codeRoot(), name + (isBundled() ? '.js' : '.ts'))]
}

/** Whether this code runs out of `dist/` rather than `src/`. */
export function isBundled(): boolean {
  return import.meta.url.endsWith('.js')
}

/** The folder entry points are in: `…/src` or `…/dist`. */
export function codeRoot(): string {
  // esbuild may put this module into a shared chunk at any depth below dist/, so look upwards for its mark.
  let folder = dirname(fileURLToPath(import.meta.url))
  if (!isBundled()) return dirname(folder)
  while (!existsSync(join(folder, 'stamp')) && folder !== dirname(folder)) folder = dirname(folder)
  return folder
}

/** The folder of the package: where `templates/`, `schemas/` and `package.json` are. */
export function packageRoot(): string {
  return dirname(codeRoot())
}

/** Ends a process that was started here, if it has not ended, and waits until it is gone. */
export async function endChild(child: ChildProcess | null, signal: NodeJS.Signals): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill(signal)
  await gone
}
