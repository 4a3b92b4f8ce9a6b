import { signalName } from '../exec/signals.ts'
import { signalProcess } from '../../platform/process.ts'
import type { FaultDriver } from './driver.ts'

/** `legion.kill`: one signal (argument `signal`, default SIGKILL) to the task's process, checked by its start time. Nothing to undo. */
export const kill: FaultDriver = {
  arm: (order, target) => {
    const signal = signalName(String(order.arguments['signal'] ?? 'SIGKILL'))
    if (!signalProcess(target, signal, 'process')) return Promise.reject(new Error('the process had gone'))
    return Promise.resolve({ effect: 1, isOver: true, revert: () => Promise.resolve(true) })
  },
  undo: () => Promise.resolve(true),
}
