//! The grid over the orchard. Without nvcc, CMake and ninja there is none.

#[cfg(has_grid)]
extern "C" {
    fn grid_cells(width: i32, height: i32) -> i32;
    fn grid_drain(water: *mut f32, width: i32, height: i32, share: f32) -> i32;
    fn grid_diffuse(before: *const f32, after: *mut f32, width: i32, height: i32, share: f32) -> i32;
}

/// Number of cells, counted by the native library; `None` where there is none.
#[cfg(has_grid)]
pub fn cells(width: i32, height: i32) -> Option<i32> {
    Some(unsafe { grid_cells(width, height) })
}

/// There is none.
#[cfg(not(has_grid))]
pub fn cells(_width: i32, _height: i32) -> Option<i32> {
    None
}

/// One step of water that drains and spreads.
///
/// # Safety
///
/// Both are fields of `width` times `height` on a device.
#[cfg(has_grid)]
pub unsafe fn step(water: *mut f32, spread: *mut f32, width: i32, height: i32) -> Result<(), i32> {
    for code in [grid_drain(water, width, height, 0.1), grid_diffuse(water, spread, width, height, 0.2)] {
        if code != 0 {
            return Err(code);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn cells_are_counted_where_there_is_a_grid() {
        assert!(matches!(super::cells(3, 4), None | Some(12)));
    }
}
