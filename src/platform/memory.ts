/** Just below 32 MiB, the largest block from whose end glibc learns. */
const BLOCK_BYTES = 32 * 1024 * 1024 - 64 * 1024

/**
 * Makes glibc keep the memory of large blocks for the next ones, up to twice this block's size: it maps a block of over 128 KiB by itself and gives
 * it back when it ends, so that the next one costs a page fault every 4 KiB, until it has seen a larger one end (mallopt(3),
 * M_MMAP_THRESHOLD). The block is never touched. Another C library takes no notice.
 */
export function keepFreedMemory(): void {
  new ArrayBuffer(BLOCK_BYTES).transfer(0)
}
