import type { System } from './contracts/controller.ts'
import { chaosSystem } from './chaos/system.ts'
import { delosSystem } from './delos/system.ts'
import { deploySystem } from './deploy/system.ts'
import { scubaSystem } from './scuba/system.ts'
import { sevSystem } from './sev/system.ts'
import { twSystem } from './tw/system.ts'

/** The systems on the `control` log, in the order they may use each other: later ones know earlier ones. */
export const controlSystems: readonly System[] = [delosSystem, twSystem, scubaSystem, sevSystem, deploySystem, chaosSystem]
