/* Who made a store, from what: root attributes that every store carries. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "hdf5_access.h"
#include "store_commit.h"

const char HN_ATTRIBUTE_SCHEMA[] = "schema";
const char HN_ATTRIBUTE_VERSION[] = "schema_version";
const char HN_ATTRIBUTE_CONTENT[] = "content_sha256";
const char HN_ATTRIBUTE_PROGRAM[] = "program";

const HnAttribute hn_provenance_attributes[] = {
    {"schema", HN_STRINGS, "which store this is; a file made elsewhere needs this one and the next"},
    {"schema_version", HN_I64, "version of its declaration"},
    {"about", HN_STRINGS, "what the store holds"},
    {"content_sha256", HN_STRINGS, "digest of the contents, written last: without it a store was never finished"},
    {"program", HN_STRINGS, "hnlmrec"},
    {"version", HN_STRINGS, "its version"},
    {"commit", HN_STRINGS, "git commit it was built from, or \"unknown\""},
    {"libraries", HN_STRINGS, "versions of what it was built with"},
    {"processor_path", HN_STRINGS, "which instruction set the kernels used"},
    {"products", HN_STRINGS,
     "what decides the bits of a native model's products: plain, bf16 pairs, bf16 tiles, or mixed; empty: no such "
     "model"},
    {"created", HN_STRINGS, "when, UTC"},
    {"config", HN_STRINGS, "effective configuration (YAML)"},
    {"inputs", HN_STRINGS, "SHA-256 and name of each input, one a line"},
    {"seed", HN_I64, "seed; -1 = does not apply"},
    {"synthetic", HN_I64, "1 = made from a synthetic world, not from people"},
    {NULL, HN_STRINGS, NULL},
};

#if defined(__clang__)
static const char compiler[] = "clang " __clang_version__;
#elif defined(__GNUC__)
static const char compiler[] = "gcc " __VERSION__;
#else
static const char compiler[] = "unknown compiler";
#endif

static void describe_libraries(char *out, size_t n_bytes) {
#ifdef H5_HAVE_PARALLEL
    char mpi[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    int length = 0;
    if (MPI_Get_library_version(mpi, &length) == MPI_SUCCESS) { /* allowed before MPI_Init */
        mpi[strcspn(mpi, ",\n")] = '\0';
    }
#else
    const char *mpi = "no MPI in HDF5";
#endif
    snprintf(out, n_bytes, "HDF5 %s; %s; %s", hn_store_library(), mpi, compiler);
}

static const char *or_empty(const char *text) {
    return text == NULL ? "" : text;
}

HnStatus hn_provenance_write(hid_t file, const char *path, const HnFault *fault, const HnSchema *schema,
                             const HnProvenance *provenance, HnError *err) {
    static const HnProvenance none = {.seed = -1};
    if (provenance == NULL) {
        provenance = &none;
    }
    char libraries[512], created[32];
    describe_libraries(libraries, sizeof libraries);
    hn_clock_iso8601(created);
    bool good =
        hn_hdf5_put_text(file, HN_ATTRIBUTE_SCHEMA, schema->name) &&
        hn_hdf5_put_i64(file, HN_ATTRIBUTE_VERSION, schema->version) &&
        hn_hdf5_put_text(file, "about", schema->about) && hn_hdf5_put_text(file, HN_ATTRIBUTE_PROGRAM, "hnlmrec") &&
        hn_hdf5_put_text(file, "version", HN_STORE_VERSION) && hn_hdf5_put_text(file, "commit", HN_STORE_COMMIT) &&
        hn_hdf5_put_text(file, "libraries", libraries) &&
        hn_hdf5_put_text(file, "processor_path", or_empty(provenance->processor_path)) &&
        hn_hdf5_put_text(file, "products", or_empty(provenance->products)) &&
        hn_hdf5_put_text(file, "created", created) && hn_hdf5_put_text(file, "config", or_empty(provenance->config)) &&
        hn_hdf5_put_text(file, "inputs", or_empty(provenance->inputs)) &&
        hn_hdf5_put_i64(file, "seed", provenance->seed) &&
        hn_hdf5_put_i64(file, "synthetic", provenance->synthetic ? 1 : 0);
    return good && fault->error_number == 0 ? HN_OK : hn_hdf5_fail(err, HN_IO, path, fault, "writing who made it");
}

const char *hn_program_version(void) {
    return HN_STORE_VERSION;
}

const char *hn_program_commit(void) {
    return HN_STORE_COMMIT;
}
