import type { OrderedLog } from '../../../core/contracts/ordered-log.ts'
import type { RpcError } from '../../../core/delos/wire/service.ts'

export interface FirstState {
  /** why this server answers nothing about keys; null: it does */
  refusal: () => RpcError | null
  stop: () => void
}

const NOT_YET: RpcError = { code: 14, text: 'muster: this server has not got the store from the others yet' }
const RETRY_MS = 200

/**
 * A server that comes with an empty directory to others knows neither their keys nor their users: whoever asked it would be shown what came
 * in, whatever their rights. It answers once it has all that the others had when it came.
 */
export function awaitFirstState(log: Pick<OrderedLog, 'readBarrier'>, isEmpty: boolean): FirstState {
  let isWaiting = isEmpty
  let timer: NodeJS.Timeout | null = null
  const ask = (): void => {
    log.readBarrier().then(
      () => {
        isWaiting = false
      },
      () => {
        if (isWaiting) timer = setTimeout(ask, RETRY_MS).unref()
      },
    )
  }
  if (isEmpty) ask()
  return {
    refusal: () => (isWaiting ? NOT_YET : null),
    stop: () => {
      isWaiting = false
      if (timer !== null) clearTimeout(timer)
    },
  }
}
