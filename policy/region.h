/*
 * Regions: is a place where a provider processes requests within the one that
 * is demanded? Names are those of the large clouds, and areas of ours:
 *
 * - Equal names match, whatever their case, and a demand matches every name
 *   that goes on behind a '-': "eu-west" is met by "eu-west-1".
 * - The rows of region.def are areas: "eu", the European Union, is met by
 *   "europe-west4", "eu-central-1" and "swedencentral", and not by regions of
 *   the clouds that are called European and lie outside it (London, Zurich).
 *   "europe" takes both.
 * - Nothing but "" (no demand) is met by a provider without a region.
 * - A name of a model that begins as the inference profiles of Bedrock do
 *   ("us.", "eu.", "global.") is processed in that area, wherever it is asked
 *   for.
 */
#ifndef TOLLGATE_POLICY_REGION_H
#define TOLLGATE_POLICY_REGION_H

#include <stdbool.h>

/* Is `region` within the demanded one? */
bool region_within(const char *region, const char *demand);

/* The same of a provider's region and its name of a model, "" = unknown. */
bool region_allows(const char *region, const char *model,
    const char *demand);

#endif
