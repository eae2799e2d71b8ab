/* How the types of store.h look in HDF5: little-endian in files, native in memory, 16-bit floats as IEEE binary16. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "hdf5_access.h"

size_t hn_type_bytes(HnType type) {
    switch (type) {
    case HN_U8:
        return 1;
    case HN_F16:
        return 2;
    case HN_I32:
    case HN_U32:
    case HN_F32:
        return 4;
    case HN_I64:
    case HN_U64:
    case HN_F64:
        return 8;
    case HN_STRINGS:
        break;
    }
    return 0;
}

/* HDF5 before 1.14.4 has no name for binary16; h5py shows this one as float16. */
static hid_t half_type(hid_t like) {
    hid_t type = H5Tcopy(like);
    if (type >= 0 &&
        (H5Tset_fields(type, 15, 10, 5, 0, 10) < 0 || H5Tset_size(type, 2) < 0 || H5Tset_ebias(type, 15) < 0)) {
        H5Tclose(type);
        type = H5I_INVALID_HID;
    }
    return type;
}

hid_t hn_hdf5_file_type(HnType type) {
    switch (type) {
    case HN_U8:
        return H5Tcopy(H5T_STD_U8LE);
    case HN_I32:
        return H5Tcopy(H5T_STD_I32LE);
    case HN_U32:
        return H5Tcopy(H5T_STD_U32LE);
    case HN_I64:
        return H5Tcopy(H5T_STD_I64LE);
    case HN_U64:
        return H5Tcopy(H5T_STD_U64LE);
    case HN_F16:
        return half_type(H5T_IEEE_F32LE);
    case HN_F32:
        return H5Tcopy(H5T_IEEE_F32LE);
    case HN_F64:
        return H5Tcopy(H5T_IEEE_F64LE);
    case HN_STRINGS:
        break;
    }
    return H5I_INVALID_HID;
}

hid_t hn_hdf5_memory_type(HnType type) {
    switch (type) {
    case HN_U8:
        return H5Tcopy(H5T_NATIVE_UINT8);
    case HN_I32:
        return H5Tcopy(H5T_NATIVE_INT32);
    case HN_U32:
        return H5Tcopy(H5T_NATIVE_UINT32);
    case HN_I64:
        return H5Tcopy(H5T_NATIVE_INT64);
    case HN_U64:
        return H5Tcopy(H5T_NATIVE_UINT64);
    case HN_F16:
        return half_type(H5T_NATIVE_FLOAT);
    case HN_F32:
        return H5Tcopy(H5T_NATIVE_FLOAT);
    case HN_F64:
        return H5Tcopy(H5T_NATIVE_DOUBLE);
    case HN_STRINGS:
        break;
    }
    return H5I_INVALID_HID;
}

bool hn_hdf5_type_matches(hid_t dataset, HnType type) {
    hid_t stored = H5Dget_type(dataset);
    hid_t wanted = hn_hdf5_file_type(type);
    bool same = stored >= 0 && wanted >= 0 && H5Tequal(stored, wanted) > 0;
    if (stored >= 0) {
        H5Tclose(stored);
    }
    if (wanted >= 0) {
        H5Tclose(wanted);
    }
    return same;
}

void hn_hdf5_close_dataset(hid_t *dataset) {
    if (*dataset > 0) { /* 0 is no id of HDF5's: a field of a zeroed block */
        H5Dclose(*dataset);
    }
    *dataset = H5I_INVALID_HID;
}

bool hn_hdf5_transfer(bool write, hid_t dataset, hid_t type, int n_dims, const uint64_t *dims, uint64_t row0,
                      uint64_t n_rows, void *data) {
    hsize_t start[HN_MAX_DIMS] = {0}, count[HN_MAX_DIMS] = {0};
    uint64_t n_values = n_rows;
    for (int d = 0; d < n_dims; d++) {
        start[d] = d == 0 ? row0 : 0;
        count[d] = d == 0 ? n_rows : dims[d];
        n_values *= d == 0 ? 1 : dims[d];
    }
    if (n_values == 0) {
        return true;
    }
    hid_t space = H5Dget_space(dataset);
    hid_t memory = H5Screate_simple(n_dims, count, NULL);
    bool good = space >= 0 && memory >= 0 &&
                H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
                (write ? H5Dwrite(dataset, type, memory, space, H5P_DEFAULT, data)
                       : H5Dread(dataset, type, memory, space, H5P_DEFAULT, data)) >= 0;
    if (good) { /* closing clears HDF5's error stack, which a caller may still want to read */
        H5Sclose(memory);
        H5Sclose(space);
        return true;
    }
    hid_t stack = H5Eget_current_stack();
    if (memory >= 0) {
        H5Sclose(memory);
    }
    if (space >= 0) {
        H5Sclose(space);
    }
    H5Eset_current_stack(stack);
    return false;
}

/* ---- attributes ---- */

static bool put_attribute(hid_t object, const char *name, hid_t file_type, hid_t memory_type, const void *value) {
    if (H5Aexists(object, name) > 0 && H5Adelete(object, name) < 0) {
        return false;
    }
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute =
        space < 0 ? H5I_INVALID_HID : H5Acreate2(object, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT);
    bool good = attribute >= 0 && H5Awrite(attribute, memory_type, value) >= 0;
    if (attribute >= 0) {
        H5Aclose(attribute);
    }
    if (space >= 0) {
        H5Sclose(space);
    }
    return good;
}

/* Fixed-length UTF-8: it lies in the object header, whose checksum HDF5 verifies. Variable-length text would lie in a
 * global heap, which has none: one flipped byte there makes HDF5 read out of bounds. */
bool hn_hdf5_put_text(hid_t object, const char *name, const char *value) {
    hid_t type = H5Tcopy(H5T_C_S1);
    bool good = type >= 0 && H5Tset_size(type, strlen(value) + 1) >= 0 && H5Tset_cset(type, H5T_CSET_UTF8) >= 0 &&
                put_attribute(object, name, type, type, value);
    if (type >= 0) {
        H5Tclose(type);
    }
    return good;
}

bool hn_hdf5_put_i64(hid_t object, const char *name, int64_t value) {
    return put_attribute(object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
}

bool hn_hdf5_put_f64(hid_t object, const char *name, double value) {
    return put_attribute(object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value);
}

/* Opens an attribute of one value and of this class; H5I_INVALID_HID where there is none. */
static hid_t open_attribute(hid_t object, const char *name, H5T_class_t class) {
    if (H5Aexists(object, name) <= 0) {
        return H5I_INVALID_HID;
    }
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    hid_t space = attribute < 0 ? H5I_INVALID_HID : H5Aget_space(attribute);
    hid_t type = attribute < 0 ? H5I_INVALID_HID : H5Aget_type(attribute);
    bool good = space >= 0 && type >= 0 && H5Sget_simple_extent_npoints(space) == 1 && H5Tget_class(type) == class;
    if (space >= 0) {
        H5Sclose(space);
    }
    if (type >= 0) {
        H5Tclose(type);
    }
    if (!good && attribute >= 0) {
        H5Aclose(attribute);
        attribute = H5I_INVALID_HID;
    }
    return attribute;
}

static bool get_number(hid_t object, const char *name, H5T_class_t class, hid_t memory_type, void *value) {
    hid_t attribute = open_attribute(object, name, class);
    if (attribute < 0) {
        return false;
    }
    bool good = H5Aread(attribute, memory_type, value) >= 0;
    H5Aclose(attribute);
    return good;
}

bool hn_hdf5_get_i64(hid_t object, const char *name, int64_t *value) {
    return get_number(object, name, H5T_INTEGER, H5T_NATIVE_INT64, value);
}

bool hn_hdf5_get_f64(hid_t object, const char *name, double *value) {
    return get_number(object, name, H5T_FLOAT, H5T_NATIVE_DOUBLE, value);
}

/* Both kinds of string: fixed-length (ours) and variable-length (files made elsewhere). */
HnStatus hn_hdf5_get_text(hid_t object, const char *name, char **value, HnError *err) {
    *value = NULL;
    hid_t attribute = open_attribute(object, name, H5T_STRING);
    if (attribute < 0) {
        return HN_OK;
    }
    HnStatus status = HN_OK;
    hid_t type = H5Aget_type(attribute);
    if (H5Tis_variable_str(type) > 0) {
        char *text = NULL;
        if (H5Aread(attribute, type, &text) >= 0) {
            *value = hn_strdup(text == NULL ? "" : text, err);
            status = *value == NULL ? HN_MEMORY : HN_OK;
            H5free_memory(text);
        }
    } else {
        size_t n_bytes = H5Tget_size(type);
        char *text = (char *)hn_alloc(n_bytes + 1, 1, "text attribute", err);
        status = text == NULL ? HN_MEMORY : HN_OK;
        if (text != NULL && H5Aread(attribute, type, text) >= 0) {
            *value = text;
        } else {
            hn_free(text);
        }
    }
    H5Tclose(type);
    H5Aclose(attribute);
    return status;
}

const char *hn_store_library(void) {
#define TEXT_OF(x) #x
#define VERSION_TEXT(a, b, c) TEXT_OF(a) "." TEXT_OF(b) "." TEXT_OF(c)
#ifdef H5_HAVE_PARALLEL
    return VERSION_TEXT(H5_VERS_MAJOR, H5_VERS_MINOR, H5_VERS_RELEASE) ", parallel";
#else
    return VERSION_TEXT(H5_VERS_MAJOR, H5_VERS_MINOR, H5_VERS_RELEASE) ", serial";
#endif
}
