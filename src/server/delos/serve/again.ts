import { isRefusal, MusterError } from '../../../core/kernel/errors.ts'
import type { Serving } from './serve.ts'

/** Of what serves and may have to be opened anew, on the same data. */
export interface Again {
  /** resolves when it is to be closed and started again */
  again: Promise<void>
}

/** Serves; when the store has to be opened anew it closes everything and starts once more, as a new process would. */
export async function serveAgain(start: () => Promise<Serving & Again>): Promise<Serving> {
  let serving = await start()
  let isClosed = false
  /** under way: whoever closes waits for it */
  let starting: Promise<void> = Promise.resolve()
  const failed = Promise.withResolvers<MusterError>()
  const restart = async (): Promise<void> => {
    await serving.close()
    if (isClosed) return
    serving = await start()
    watch()
  }
  const watch = (): void => {
    void serving.failed.then(failed.resolve)
    void serving.again.then(() => {
      if (isClosed) return
      starting = restart().catch((error: unknown) =>
        failed.resolve(
          isRefusal(error) ? error : new MusterError('INTERNAL', `it could not start again: ${String(error)}`, { cause: error }),
        ),
      )
    })
  }
  watch()
  return {
    get addresses() {
      return serving.addresses
    },
    failed: failed.promise,
    close: async () => {
      isClosed = true
      await starting
      await serving.close()
    },
  }
}
