/* SPDX-License-Identifier: GPL-2.0 */
/* Devices that prove DMA in the container, for find_groups() */
#ifndef DMA_H
#define DMA_H

#include "vfio.h"

const void *can_dma(uint32_t class, uint32_t id);
/* Map what the devices use. It is there to be replayed, too. */
void map_pages(void);
/* Each device of the group writes what arrives, and, @outside, what must not. */
bool dma(struct group *g, bool outside);

#endif
