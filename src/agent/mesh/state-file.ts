import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { MeshSnapshot } from '../../core/contracts/mesh.ts'

/** What a proxy needs to serve again after its own restart, without anybody's help. */
export interface ProxyState {
  version: 1
  snapshot: MeshSnapshot | null
  /** 0: none yet */
  gatewayPort: number
  servicePorts: Record<string, number>
  /** highest split epoch seen, by service */
  epochs: Record<string, number>
}

const EMPTY: ProxyState = { version: 1, snapshot: null, gatewayPort: 0, servicePorts: {}, epochs: {} }

/** The state of the file, or an empty one where there is none that can be used: the agent will send the snapshot anew. */
export function loadState(file: string): ProxyState {
  try {
    const state = JSON.parse(readFileSync(file, 'utf8')) as ProxyState
    return state.version === 1 ? { ...EMPTY, ...state } : structuredClone(EMPTY)
  } catch {
    return structuredClone(EMPTY)
  }
}

/** Replaced by rename, so that a reader never sees half of it. */
export function saveState(file: string, state: ProxyState): void {
  writeFileSync(`${file}.new`, JSON.stringify(state), { mode: 0o600 })
  renameSync(`${file}.new`, file)
}
