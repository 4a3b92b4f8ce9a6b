import { readFileSync } from 'node:fs'
import type { MeshSnapshot } from '../../core/contracts/mesh.ts'
import { replaceFile } from '../../platform/files.ts'

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

export function saveState(file: string, state: ProxyState): void {
  replaceFile(file, JSON.stringify(state))
}
