import type { System } from '../../src/core/contracts/controller.ts'
import { createLogger } from '../../src/platform/logger.ts'
import { statePaths } from '../../src/platform/paths.ts'
import { noPeers, openFleetLog } from '../../src/server/delos/fleet-logs.ts'
import { openControlLog, type ControlLog } from '../../src/server/state/control-log.ts'
import { holdIdentity } from '../../src/server/state/identity.ts'

/** Says nothing: what it would write is no part of what is measured. */
export const quiet = createLogger(null)

/** The control log as a lone server has it, on the disk under `dir`, with the machines of these systems. */
export async function openLoneLog(dir: string, systems: readonly System[]): Promise<{ control: ControlLog; close: () => Promise<void> }> {
  const onFatal = (error: Error): never => {
    throw error
  }
  const paths = statePaths('bench', { MUSTER_STATE_DIR: dir })
  const identity = await holdIdentity(paths)
  const peers = noPeers(identity, quiet)
  const control = await openControlLog({
    openLog: (from) => openFleetLog('control', { paths, identity, peers, from, logger: quiet, onFatal }),
    ...{ dbFile: paths.stateDb, systems, clock: Date.now, log: quiet, onFatal },
  })
  return {
    control,
    close: async () => {
      await control.close()
      await peers.close()
    },
  }
}
